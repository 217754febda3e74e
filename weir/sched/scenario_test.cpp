// Plays every file in scenarios/: a small world in the words of a user, and what must come of it.
// The language is described in scenarios/README.md.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "weir/sched/engine.hpp"
#include "weir/tenancy/loan.hpp"

namespace weir::sched {
namespace {

struct Expectation {
    std::string line;
    std::string job;
    std::optional<Time> starts;  // none = never
    std::optional<Cause> because;
    std::optional<Time> reserved;         // was announced at some time
    std::optional<Time> stopped;          // was asked to stop then
    bool refused = false;                 // its deadline, or what it asks for, was not accepted
    std::optional<std::uint32_t> with{};  // so many chips in all, when it (last) started
    std::optional<std::uint32_t> on;      // node that it (last) started on
    std::string site{};                   // where it (last) started
    std::string dataset{};                // "copied hefei 1h": what became of a dataset
};

struct Scenario {
    fleet::Fleet fleet;
    Policy policy = Policy::easy;
    tenancy::Organisations house;  // without resources and tenants: nobody is limited
    std::map<std::string, tenancy::Loan> loans;
    std::multimap<Time, std::vector<std::string>> events;  // words after "at T"
    std::vector<Expectation> expectations;
};

Time time_in(const std::string& word) {
    const Result<Duration> parsed = parse_duration(word);
    if (!parsed) throw std::runtime_error("not a time: " + word);
    return Time{} + *parsed;
}

Cause cause_in(const std::string& word) {
    for (int i = 0; i <= static_cast<int>(Cause::on_loan); ++i) {
        if (name_of(static_cast<Cause>(i)) == word) return static_cast<Cause>(i);
    }
    throw std::runtime_error("not a cause: " + word);
}

// "2 nodes x 8 chips x 16 cpus racks of 2"
fleet::Pool pool_in(const std::vector<std::string>& words) {
    fleet::Pool pool;
    pool.name = "a";
    pool.site = "here";
    for (std::size_t i = 1; i + 1 < words.size(); ++i) {
        const auto number = [&] { return static_cast<std::uint32_t>(std::stoul(words[i])); };
        const std::string& unit = words[i + 1];
        if (unit == "nodes" || unit == "node") pool.nodes = number();
        if (unit == "chips" || unit == "chip") pool.chips_per_node = number();
        if (unit == "cpus") pool.cpus_milli = number() * 1000;
        if (words[i] == "of") pool.nodes_per_rack = static_cast<std::uint32_t>(std::stoul(unit));
        const auto watts = [&] { return parse_power_watts(unit).value(); };
        if (words[i] == "rack_power") pool.rack_power_watts = watts();
        if (words[i] == "idle") pool.node_idle_watts = watts();
        if (words[i] == "busy") pool.node_busy_watts = watts();
        if (words[i] == "kind") pool.chip = unit;
        if (words[i] == "site") pool.site = unit;
    }
    if (pool.chip.empty() && pool.chips_per_node > 0) pool.chip = "chip";
    return pool;
}

// "storage hefei rate=1GB/s capacity=10TiB era5=4TiB"
void add_storage(fleet::Fleet& fleet, const std::vector<std::string>& words) {
    fleet::Storage storage;
    for (std::size_t i = 2; i < words.size(); ++i) {
        const std::string key = words[i].substr(0, words[i].find('='));
        const std::string value = words[i].substr(words[i].find('=') + 1);
        if (key == "rate") {
            storage.bytes_per_s = parse_bandwidth_bytes_per_s(value).value();
        } else if (key == "capacity") {
            storage.capacity = parse_bytes(value).value();
        } else {
            storage.datasets[key] = parse_bytes(value).value();
        }
    }
    fleet.sites.push_back({.name = words.at(1), .storage = storage});
}

// "tenant bigco/search quota=8 lend=4 borrow.h20=0 weight=2"
void add_tenant(tenancy::Organisations& house, const std::vector<std::string>& words) {
    if (house.empty()) house.tenants.push_back({});
    const std::string& path = words.at(1);
    const auto slash = path.rfind('/');
    tenancy::Tenant tenant;
    tenant.path = path;
    tenant.parent = house.find(slash == std::string::npos ? "" : path.substr(0, slash));
    if (!tenant.parent.valid()) throw std::runtime_error("nobody is above " + path);
    for (std::size_t i = 2; i < words.size(); ++i) {
        const std::string key = words[i].substr(0, words[i].find('='));
        const std::string what = key.substr(0, key.find('.'));
        const double number = std::stod(words[i].substr(words[i].find('=') + 1));
        const auto milli = static_cast<std::int64_t>(number * 1000 + 0.5);
        if (what == "weight") {
            tenant.weight_milli = static_cast<std::uint32_t>(milli);
            continue;
        }
        const tenancy::Resource resource{
            tenancy::Resource::Kind::chips,
            key.find('.') == std::string::npos ? "chip" : key.substr(key.find('.') + 1)};
        auto its = std::find(house.resources.begin(), house.resources.end(), resource);
        if (its == house.resources.end()) {
            house.resources.push_back(resource);
            its = std::prev(house.resources.end());
        }
        auto& list = what == "quota" ? tenant.quota : what == "lend" ? tenant.lend : tenant.borrow;
        list.push_back({static_cast<std::uint32_t>(its - house.resources.begin()), milli});
    }
    house.tenants.push_back(std::move(tenant));
}

// "loan NAME from=lab to=shop chips=8 start=1h end=10h notice=2h", agreed on beforehand
void add_loan(Scenario& scenario, const std::vector<std::string>& words) {
    const tenancy::Organisations& house = scenario.house;
    tenancy::Loan loan;
    loan.id = tenancy::LoanId{static_cast<std::uint32_t>(scenario.loans.size())};
    loan.state = tenancy::LoanState::accepted;
    loan.contract.window = {Time{}, never};
    for (std::size_t i = 2; i < words.size(); ++i) {
        const std::string key = words[i].substr(0, words[i].find('='));
        const std::string value = words[i].substr(words[i].find('=') + 1);
        if (key == "from") {
            loan.contract.lender = house.find(value);
        } else if (key == "to") {
            loan.contract.borrower = house.find(value);
        } else if (key == "chips") {
            loan.contract.amounts = {{0, std::stol(value) * 1000}};
        } else if (key == "start") {
            loan.contract.window.begins = time_in(value);
        } else if (key == "end") {
            loan.contract.window.ends = time_in(value);
        } else if (key == "notice") {
            loan.contract.notice = time_in(value) - Time{};
        } else {
            throw std::runtime_error("not a property of a loan: " + words[i]);
        }
    }
    if (!loan.contract.lender.valid() || !loan.contract.borrower.valid())
        throw std::runtime_error("a loan is from one organisation to another: " + words.at(1));
    scenario.loans[words.at(1)] = loan;
}

Scenario read(const std::filesystem::path& path) {
    Scenario scenario;
    scenario.fleet.sites = {{.name = "here"}};
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        std::istringstream text(line.substr(0, line.find('#')));
        std::vector<std::string> words;
        for (std::string word; text >> word;)
            words.push_back(word);
        if (words.empty()) continue;
        if (words[0] == "cluster") {
            scenario.fleet.pools.push_back(pool_in(words));
            scenario.fleet.pools.back().name = std::to_string(scenario.fleet.pools.size());
        } else if (words[0] == "storage") {
            add_storage(scenario.fleet, words);
        } else if (words[0] == "link") {
            scenario.fleet.links.push_back(
                {.between = {words.at(1), words.at(2)},
                 .bytes_per_s = parse_bandwidth_bytes_per_s(words.at(3)).value()});
        } else if (words[0] == "tenant") {
            add_tenant(scenario.house, words);
        } else if (words[0] == "loan") {
            add_loan(scenario, words);
        } else if (words[0] == "policy") {
            std::string keys = words.at(1);
            for (std::size_t i = 2; i < words.size(); ++i)
                keys += " " + words[i];
            scenario.policy = policy_from_text(keys).value();
        } else if (words[0] == "at") {
            scenario.events.emplace(time_in(words.at(1)),
                                    std::vector(words.begin() + 2, words.end()));
        } else if (words[0] == "expect") {
            Expectation expected;
            expected.line = line;
            expected.job = words.at(1);
            if (words.at(2) == "starts") expected.starts = time_in(words.at(3));
            if (words.at(2) == "reserved") expected.reserved = time_in(words.at(3));
            if (words.at(2) == "stopped") expected.stopped = time_in(words.at(3));
            expected.refused = words.at(2) == "refused";
            if (words.at(2) == "on") {
                expected.on = static_cast<std::uint32_t>(std::stoul(words.at(4)));
            }
            if (words.at(2) == "at") expected.site = words.at(3);
            if (words.at(2) == "copied" || words.at(2) == "forgotten") {
                expected.dataset = words.at(2) + " " + words.at(3) + " " +
                                   format_duration(time_in(words.at(4)) - Time{});
            }
            for (std::size_t i = 3; i + 1 < words.size(); ++i) {
                if (words[i] == "because") expected.because = cause_in(words[i + 1]);
                if (words[i] == "with")
                    expected.with = static_cast<std::uint32_t>(std::stoul(words[i + 1]));
            }
            scenario.expectations.push_back(expected);
        } else {
            throw std::runtime_error("not a line of a scenario: " + line);
        }
    }
    return scenario;
}

class Player {
public:
    explicit Player(const Scenario& scenario)
        : scenario_(scenario),
          engine_(scenario.fleet,
                  scenario.policy,
                  tenancy::rights_on(scenario.fleet, scenario.house, {})),
          loans_(scenario.loans) {}

    void play() {
        for (const auto& [name, loan] : loans_)
            engine_.apply(LoanChanged{term_of(loan, Time{})}, Time{});
        auto next = scenario_.events.begin();
        const auto something_will_happen = [&] {
            return next != scenario_.events.end() || !ends_.empty() || !copies_.empty() ||
                   (engine_.counts().pending > 0 && engine_.wakes_at() != never);
        };
        while (something_will_happen()) {
            Time now = engine_.wakes_at();
            if (next != scenario_.events.end()) now = std::min(now, next->first);
            if (!ends_.empty()) now = std::min(now, ends_.begin()->first);
            if (!copies_.empty()) now = std::min(now, copies_.begin()->first);
            for (; !copies_.empty() && copies_.begin()->first == now;
                 copies_.erase(copies_.begin())) {
                engine_.apply(copies_.begin()->second, now);
            }
            while (!ends_.empty() && ends_.begin()->first == now) {
                end(ends_.begin()->second, now);
            }
            for (; next != scenario_.events.end() && next->first == now; ++next) {
                happen(next->second, now);
            }
            std::vector<Decision> decisions;
            engine_.decide(now, decisions);
            for (const Decision& decision : decisions)
                note(decision, now);
        }
    }

    void check() const {
        for (const Expectation& expected : scenario_.expectations) {
            SCOPED_TRACE(expected.line);
            if (expected.refused) {
                EXPECT_EQ(refused_.count(expected.job), 1U);
                continue;
            }
            if (!expected.dataset.empty()) {
                EXPECT_THAT(datasets_, ::testing::Contains(expected.job + " " + expected.dataset));
                continue;
            }
            const JobId job = ids_.at(expected.job);
            if (!expected.site.empty()) {
                ASSERT_EQ(sites_.count(job), 1U) << "it never started";
                EXPECT_EQ(sites_.at(job), expected.site);
                continue;
            }
            if (expected.stopped) {
                const auto its = stopped_.find({job, *expected.stopped});
                ASSERT_TRUE(its != stopped_.end()) << "it was not stopped then";
                if (expected.with) {
                    EXPECT_EQ(chips_.at(job), *expected.with);
                }
                if (expected.because) {
                    EXPECT_EQ(name_of(its->second), name_of(*expected.because));
                }
                continue;
            }
            if (expected.on) {
                ASSERT_EQ(nodes_.count(job), 1U) << "it never started";
                EXPECT_EQ(nodes_.at(job), *expected.on);
                continue;
            }
            if (expected.reserved) {
                EXPECT_EQ(reserved_.count({job, *expected.reserved}), 1U);
                continue;
            }
            const auto start = starts_.find(job);
            if (!expected.starts) {
                EXPECT_TRUE(start == starts_.end()) << "it started";
                continue;
            }
            ASSERT_TRUE(start != starts_.end()) << "it never started";
            EXPECT_EQ(format_duration(start->second.first - Time{}),
                      format_duration(*expected.starts - Time{}));
            if (expected.because) {
                EXPECT_EQ(name_of(start->second.second), name_of(*expected.because));
            }
        }
    }

private:
    void stop(JobId job, Cause cause, Time now) {
        stopped_[{job, now}] = cause;
        for (auto it = ends_.begin(); it != ends_.end(); ++it) {
            if (it->second != job) continue;
            ends_.erase(it);
            break;
        }
        // It saves what it did and makes room; without checkpoints it begins anew.
        const Duration cost = checkpoints_[job].cost;
        if (checkpoints_[job].every > Duration{}) runs_[job] -= now - starts_.at(job).first;
        stopping_.insert(job);
        ends_.emplace(now + cost, job);
    }

    void end(JobId job, Time now) {
        for (auto it = ends_.begin(); it != ends_.end(); ++it) {
            if (it->second != job) continue;
            ends_.erase(it);
            break;
        }
        if (stopping_.erase(job) > 0) {
            engine_.apply(JobEnded{job, Outcome::cancelled, true}, now);
            return;
        }
        engine_.apply(JobEnded{job, fails_.count(job) > 0 ? Outcome::failed : Outcome::succeeded},
                      now);
    }

    void happen(const std::vector<std::string>& words, Time now) {
        const std::string& what = words.at(0);
        if (what == "submit") {
            submit(words, now);
        } else if (what == "cancel") {
            engine_.apply(JobCancelled{ids_.at(words.at(1))}, now);
        } else if (what == "drain" || what == "restore" || what == "fail") {
            const std::uint32_t node = node_in(words.at(2));
            engine_.apply(NodeChanged{PoolId{0},
                                      node,
                                      what == "drain"  ? NodeHealth::drained
                                      : what == "fail" ? NodeHealth::down
                                                       : NodeHealth::up},
                          now);
            if (what == "fail") lose(node, now);
        } else if (what == "power") {  // power rack 0 30kW
            engine_.apply(PowerCapSet{{fleet::level_from_name(words.at(1)).value(),
                                       PoolId{0},
                                       static_cast<std::uint32_t>(std::stoul(words.at(2)))},
                                      parse_power_watts(words.at(3)).value()},
                          now);
        } else if (what == "recall" || what == "return") {
            tenancy::Loan& loan = loans_.at(words.at(1));
            loan =
                step(loan,
                     what == "recall" ? tenancy::LoanEvent::recall : tenancy::LoanEvent::give_back,
                     now)
                    .value()
                    .loan;
            engine_.apply(LoanChanged{term_of(loan, now)}, now);
        } else if (what == "reserve") {
            reserve(words, now);
        } else if (what == "made") {  // made era5 4TiB hefei
            engine_.apply(
                DatasetMade{words.at(1), parse_bytes(words.at(2)).value(), site_in(words.at(3))},
                now);
        } else if (what == "lost") {  // lost era5 hefei
            engine_.apply(DatasetLost{words.at(1), site_in(words.at(2))}, now);
        } else {
            throw std::runtime_error("not an event: " + what);
        }
    }

    [[nodiscard]] SiteId site_in(const std::string& name) const {
        for (std::uint32_t i = 0; i < scenario_.fleet.sites.size(); ++i)
            if (scenario_.fleet.sites[i].name == name) return SiteId{i};
        throw std::runtime_error("no site is called " + name);
    }

    // A node failed: gangs on it go on with another one if they may, else they begin again.
    void lose(std::uint32_t node, Time now) {
        for (const auto& [name, job] : ids_) {
            if (engine_.phase(job) != Phase::running) continue;
            for (const fleet::NodeRange& range : engine_.placement(job)->ranges) {
                if (node < range.first || node >= range.first + range.count) continue;
                if (replaces_.count(job) > 0) {
                    engine_.apply(ReplicaLost{job, PoolId{0}, node}, now);
                } else {
                    for (auto it = ends_.begin(); it != ends_.end();)
                        it = it->second == job ? ends_.erase(it) : std::next(it);
                    engine_.apply(JobEnded{job, Outcome::lost, true}, now);
                }
                break;
            }
        }
    }

    [[nodiscard]] std::uint32_t node_in(const std::string& word) const {
        const std::uint32_t there = scenario_.fleet.pools.at(0).nodes;
        const auto node = std::stoul(word);
        if (node < there) return static_cast<std::uint32_t>(node);
        throw std::runtime_error("no node " + word + ": there are " + std::to_string(there) +
                                 ", counted from 0");
    }

    // reserve night nodes=0-1 from=1h for=2h [maintenance]
    void reserve(const std::vector<std::string>& words, Time now) {
        Advance advance;
        advance.id = AdvanceId{static_cast<std::uint32_t>(tags_.size() + 1)};
        tags_[words.at(1)] = advance.id.value;
        for (std::size_t i = 2; i < words.size(); ++i) {
            const std::string key = words[i].substr(0, words[i].find('='));
            const std::string value = words[i].substr(words[i].find('=') + 1);
            if (key == "maintenance") advance.maintenance = true;
            if (key == "from") advance.from = time_in(value);
            if (key == "for") advance.until = advance.from + (time_in(value) - Time{});
            if (key == "nodes") {
                const auto dash = value.find('-');
                const std::uint32_t first = node_in(value.substr(0, dash));
                const std::uint32_t last =
                    dash == std::string::npos ? first : node_in(value.substr(dash + 1));
                if (last < first) throw std::runtime_error("not nodes in a row: " + value);
                advance.nodes = {{PoolId{0}, first, last - first + 1}};
            }
        }
        engine_.apply(AdvanceMade{advance}, now);
    }

    void submit(const std::vector<std::string>& words, Time now) {
        Request request;
        for (std::uint32_t pool = 0; pool < scenario_.fleet.pools.size(); ++pool)
            request.demand.pools.push_back(PoolId{pool});
        fleet::GangPart part;
        Duration run{};
        bool fails = false;
        std::uint32_t members = 1;
        for (std::size_t i = 2; i < words.size(); ++i) {
            const std::string key = words[i].substr(0, words[i].find('='));
            const std::string value = words[i].substr(words[i].find('=') + 1);
            const auto number = [&] { return static_cast<std::uint32_t>(std::stoul(value)); };
            if (key == "chips" && value.find('.') != std::string::npos) {
                part.each.chip_permille = static_cast<std::uint32_t>(std::stod(value) * 1000 + 0.5);
            } else if (key == "chips") {
                part.each.chips = number();
            } else if (key == "cpus") {
                part.each.cpus_milli = number() * 1000;
            } else if (key == "replicas") {
                part.replicas = number();
            } else if (key == "within") {
                request.demand.within = fleet::level_from_name(value).value();
            } else if (key == "time") {
                request.limit = time_in(value) - Time{};
            } else if (key == "runs") {
                run = time_in(value) - Time{};
            } else if (key == "after") {
                request.after.push_back({ids_.at(value), Needs::success});
            } else if (key == "priority") {
                for (const auto priority : {job::Priority::low,
                                            job::Priority::normal,
                                            job::Priority::high,
                                            job::Priority::urgent}) {
                    if (job::name_of(priority) == value) request.priority = priority;
                }
            } else if (key == "deadline") {
                request.deadline = time_in(value);
            } else if (key == "inside") {
                request.demand.tag = tags_.at(value);
            } else if (key == "prefer") {
                request.demand.prefer = fleet::level_from_name(value).value();
            } else if (key == "checkpoint") {  // every/cost
                request.checkpoint = {time_in(value.substr(0, value.find('/'))) - Time{},
                                      time_in(value.substr(value.find('/') + 1)) - Time{}};
            } else if (key == "replace") {
                request.replace_failed = true;
            } else if (key == "tenant") {
                request.tenant = scenario_.house.find(value);
                ASSERT_TRUE(request.tenant.valid()) << value;
            } else if (key == "data") {
                std::istringstream names(value);
                for (std::string name; std::getline(names, name, '+');)
                    request.data.push_back(name);
            } else if (key == "members") {
                members = number();
            } else if (key == "at_once") {
                request.array_at_once_max = number();
            } else if (key == "sizes") {
                request.sizes = sizes_in(value, request.demand);
                part = request.sizes.front().demand.parts.front();
                request.limit = request.sizes.front().limit;
            } else if (key == "fails") {
                fails = true;
            } else {
                throw std::runtime_error("not a property of a job: " + words[i]);
            }
        }
        request.demand.parts = {part};
        if (!request.sizes.empty()) request.demand = request.sizes.front().demand;
        ASSERT_TRUE(engine_.can_ever_fit(request.demand).has_value());
        if (!engine_.can_meet_deadline(request, now) ||
            !engine_.can_ever_have(request.tenant, request.demand)) {
            refused_.insert(words.at(1));
            return;
        }
        for (std::uint32_t member = 0; member < members; ++member) {
            request.job = JobId{++last_id_};
            if (member == 0) request.array = request.job;
            ids_[members == 1 ? words.at(1) : words.at(1) + "_" + std::to_string(member)] =
                request.job;
            runs_[request.job] = run == Duration{} ? request.limit : run;
            sizes_[request.job] = request.sizes;
            if (fails) fails_.insert(request.job);
            if (request.replace_failed) replaces_.insert(request.job);
            checkpoints_[request.job] = request.checkpoint;
            engine_.apply(JobSubmitted{request}, now);
        }
    }

    // sizes=2x8/4h,8x8/1h@2: replicas x chips / what it takes, @ in which cluster alone
    [[nodiscard]] static std::vector<Size> sizes_in(const std::string& text,
                                                    const fleet::Demand& demand) {
        std::vector<Size> sizes;
        std::istringstream words(text);
        for (std::string word; std::getline(words, word, ',');) {
            const auto slash = word.find('/');
            const auto place = word.find('@');
            Size& size = sizes.emplace_back();
            size.demand = demand;
            fleet::GangPart part;
            part.replicas = static_cast<std::uint32_t>(std::stoul(word));
            part.each.chips =
                static_cast<std::uint32_t>(std::stoul(word.substr(word.find('x') + 1)));
            size.demand.parts = {part};
            size.takes = time_in(word.substr(slash + 1, place - slash - 1)) - Time{};
            size.limit = size.takes + size.takes / 10;
            if (place != std::string::npos) {
                const auto pool = static_cast<std::uint32_t>(std::stoul(word.substr(place + 1)));
                size.demand.pools = {PoolId{pool - 1}};
            }
        }
        return sizes;
    }

    void note(const Decision& decision, Time now) {
        if (const auto* start = std::get_if<Start>(&decision.what)) {
            if (const std::vector<Size>& sizes = sizes_.at(start->job);
                !sizes.empty() && starts_.count(start->job) == 0) {
                runs_[start->job] = sizes.at(start->size).takes;
            }
            std::uint32_t& chips = chips_[start->job] = 0;
            for (const fleet::NodeRange& range : start->placement.ranges)
                chips += range.count * static_cast<std::uint32_t>(std::popcount(range.chip_mask));
            starts_[start->job] = {now, decision.why.cause};
            nodes_[start->job] = start->placement.ranges.front().first;
            const PoolId pool = start->placement.ranges.front().pool;
            sites_[start->job] = scenario_.fleet.pool(pool).site;
            ends_.emplace(now + runs_.at(start->job), start->job);
        }
        if (const auto* preempt = std::get_if<Preempt>(&decision.what)) {
            stop(preempt->job, decision.why.cause, now);
        }
        if (const auto* replace = std::get_if<Replace>(&decision.what)) {
            ASSERT_FALSE(replace->placement.ranges.empty()) << "no other node";
            nodes_[replace->job] = replace->placement.ranges.back().first;
        }
        if (const auto* stage = std::get_if<Stage>(&decision.what)) {
            copies_.emplace(stage->ends, DatasetStaged{stage->dataset, stage->to});
            datasets_.insert(stage->dataset + " copied " +
                             scenario_.fleet.sites.at(stage->to.value).name + " " +
                             format_duration(stage->ends - Time{}));
        }
        if (const auto* forget = std::get_if<Forget>(&decision.what)) {
            datasets_.insert(forget->dataset + " forgotten " +
                             scenario_.fleet.sites.at(forget->site.value).name + " " +
                             format_duration(now - Time{}));
        }
        if (const auto* reserve = std::get_if<Reserve>(&decision.what)) {
            reserved_.insert({reserve->job, reserve->at});
        }
    }

    const Scenario& scenario_;
    Engine engine_;
    std::map<std::string, tenancy::Loan> loans_;
    std::map<std::string, std::uint32_t> tags_;  // of advance reservations
    std::set<std::string> refused_;
    std::map<std::pair<JobId, Time>, Cause> stopped_;
    std::set<JobId> stopping_;
    std::set<JobId> replaces_;
    std::map<JobId, Checkpointing> checkpoints_;
    std::map<JobId, std::vector<Size>> sizes_;
    std::map<JobId, std::uint32_t> chips_;  // in all, of the last start
    std::map<JobId, std::uint32_t> nodes_;  // first one of the last start
    std::map<JobId, std::string> sites_;    // of the last start
    std::multimap<Time, DatasetStaged> copies_;
    std::set<std::string> datasets_;  // what became of them, in words
    std::uint64_t last_id_ = 0;
    std::map<std::string, JobId> ids_;
    std::map<JobId, Duration> runs_;
    std::set<JobId> fails_;
    std::multimap<Time, JobId> ends_;
    std::map<JobId, std::pair<Time, Cause>> starts_;
    std::set<std::pair<JobId, Time>> reserved_;
};

TEST(Scenarios, SayHowManyNodesThereAreToWhoNamesOthers) {
    Scenario scenario;
    scenario.fleet.sites = {{.name = "here"}};
    scenario.fleet.pools = {pool_in({"cluster", "2", "nodes", "x", "8", "chips"})};
    for (const std::vector<std::string>& event :
         {std::vector<std::string>{"reserve", "m", "nodes=0-99", "from=1h", "for=1h"},
          {"drain", "node", "99"}}) {
        scenario.events = {{Time{}, event}};
        try {
            Player(scenario).play();
            ADD_FAILURE() << event.front() << " takes nodes that nobody has";
        } catch (const std::runtime_error& error) {
            EXPECT_STREQ(error.what(), "no node 99: there are 2, counted from 0");
        }
    }
}

TEST(Scenarios, ComeOutAsTheySay) {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(
             std::filesystem::path(WEIR_SOURCE_DIR) / "scenarios")) {
        if (entry.path().extension() == ".scn") files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    EXPECT_GE(files.size(), 10U);
    for (const std::filesystem::path& file : files) {
        SCOPED_TRACE(file.string());
        const Scenario scenario = read(file);
        EXPECT_FALSE(scenario.expectations.empty());
        Player player(scenario);
        player.play();
        player.check();
    }
}

}  // namespace
}  // namespace weir::sched
