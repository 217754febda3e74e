// Random histories with faults, and what must be true after all of them.
//
// One seed draws a world: a fleet, a stream of submissions (arrays, dependencies, keys),
// cancellations, ends, losses; and its faults: the process dies at any port boundary (before or
// after an append, a start, a stop, a forget, a look at the executor, an answer), the store refuses
// a commit with or without keeping it, reports of ends are lost, repeated or late, the clock jumps.
// After a crash the hub is opened again over what the store and the executor kept, and may die
// again while it recovers. Some jobs read datasets that have to be copied to where the nodes are,
// of which only some fit at a time, or make some; copies fail, and a crash ends them all.
//
// Safety, all the time: what was acknowledged is known; an attempt is executed once and the next
// one only after the one before was lost; a gang starts whole; nodes are never over-committed; a
// key stands for one submission. Progress: when the faults stop, every job comes to an end. And the
// journal replays to the digest that the hub had.
//
//     hub_test --gtest_filter='KeeperUnderFaults.*'       WEIR_SEED=17 runs that seed alone
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <set>

#include "weir/base/log.hpp"
#include "weir/base/random.hpp"
#include "weir/hub/hub_world.hpp"
#include "weir/hub/replay.hpp"

namespace weir::hub {
namespace {

struct Crash {};

class FaultyHistory {
public:
    explicit FaultyHistory(std::uint64_t seed) : random_(seed), world_(with_data(3)) {
        crash_probability_ = random_.chance(0.3) ? 0 : random_.unit() * 0.03;
        refuse_probability_ = random_.chance(0.5) ? 0 : random_.unit() * 0.1;
        lose_report_probability_ = random_.chance(0.4) ? 0 : random_.unit() * 0.5;
        lose_attempt_probability_ = random_.chance(0.5) ? 0 : random_.unit() * 0.1;
        world_.options.policy = any_policy();
        const auto boundary = [this](const char*) {
            if (faults_on_ && random_.chance(crash_probability_)) throw Crash{};
        };
        world_.store.at_boundary = boundary;
        world_.executor.at_boundary = boundary;
        world_.store.fault_of_append = [this] {
            if (!faults_on_ || !random_.chance(refuse_probability_)) {
                return FaultyStore::Fault::none;
            }
            return random_.chance(0.5) ? FaultyStore::Fault::refuse
                                       : FaultyStore::Fault::keep_and_refuse;
        };
        world_.executor.on_start = [this](const exec::Launch& launch) {
            check_gang(launch);
            check_data(launch);
        };
        world_.mover->on_call = boundary;
        for (const char* dataset : {"d0", "d1"})
            world_.mover->files.insert({dataset, "far"});
    }

    void run() {
        reopen();
        for (int round = 0; round < 60; ++round) {
            if (random_.chance(0.1)) world_.now += seconds(random_.between(-100, 1000));
            try {
                live_one_round();
            } catch (const Crash&) {
                ++crashes_;
                reopen();
            }
            check();
            if (testing::Test::HasFatalFailure()) return;
        }
        faults_on_ = false;
        if (world_.keeper->broken()) world_.housekeep();
        // Who waits for the nodes that a smaller machine lacked is not lost, and gets them.
        world_.fleet = with_data(4);
        reopen(false);
        undo_operations();
        drain();
        check();
        check_end();
    }

    [[nodiscard]] int crashes() const { return crashes_; }
    [[nodiscard]] std::size_t starts() const { return world_.executor.order.size(); }

private:
    // ------------------------------------------------------------------- what happens

    sched::Policy any_policy() {
        if (random_.chance(0.3)) return sched::Policy::easy;
        if (random_.chance(0.4)) return sched::Policy::fcfs;
        sched::Policy policy = sched::Policy::weir;
        if (random_.chance(0.5)) policy.plan_work_max = 2;  // so that it binds
        policy.min_run = Duration{5};                       // so that it stops some for others
        return policy;
    }

    // Beside the small fleet a site that has but datasets, of which one fits to where the nodes
    // are.
    static fleet::Fleet with_data(std::uint32_t nodes) {
        fleet::Fleet fleet = small_fleet(nodes);
        fleet.sites[0].storage.capacity = Bytes{150};
        fleet.sites.push_back({.name = "far", .executor = "local"});
        fleet.sites[1].storage.datasets = {{"d0", Bytes{100}}, {"d1", Bytes{100}}};
        fleet.links = {{.between = {"far", "local"}, .bytes_per_s = 10, .latency = seconds(1)}};
        return fleet;
    }

    void reopen(bool may_differ = true) {
        world_.mover->crash();
        // The machine comes back smaller, larger or as it was.
        if (may_differ && random_.chance(0.2)) {
            world_.fleet = with_data(static_cast<std::uint32_t>(random_.between(2, 4)));
        }
        if (may_differ && random_.chance(0.1)) {
            world_.options.policy = any_policy();
        }
        for (int tries = 0;; ++tries) {
            ASSERT_LT(tries, 1000) << "the hub does not come back";
            try {
                const auto opened = world_.open();
                if (opened) return;
                // The store refused while the hub recovered: the operator starts it again.
                ASSERT_EQ(opened.error().code, Code::io) << opened.error().message;
            } catch (const Crash&) {
                ++crashes_;
            }
        }
    }

    void live_one_round() {
        std::vector<Message> messages;
        for (std::int64_t i = random_.between(0, 3); i > 0; --i)
            messages.push_back(submission());
        if (random_.chance(0.15)) messages.push_back(cancellation());
        if (random_.chance(0.15)) messages.push_back(operation(any_operation()));
        end_some_attempts();
        end_some_moves(messages);
        for (auto report = reports_.begin(); report != reports_.end();) {
            if (random_.chance(0.3)) {  // later
                ++report;
                continue;
            }
            messages.push_back(EndMessage{*report});
            if (random_.chance(0.2)) {  // and again
                ++report;
                continue;
            }
            report = reports_.erase(report);
        }
        world_.turn(std::move(messages));
        if (random_.chance(0.2)) world_.housekeep();
    }

    Message submission() {
        std::vector<Submission> submissions;
        std::vector<std::string> keys;
        for (std::int64_t i = random_.chance(0.2) ? 2 : 1; i > 0; --i) {
            // An old key now and then: a client that heard no answer tries again.
            const bool again = !sent_.empty() && random_.chance(0.3);
            if (again) {
                auto old = sent_.begin();
                std::advance(old, random_.between(0, static_cast<std::int64_t>(sent_.size()) - 1));
                submissions.push_back(old->second);
            } else {
                submissions.push_back(new_submission());
                sent_[submissions.back().key] = submissions.back();
            }
            keys.push_back(submissions.back().key);
        }
        return SubmitMessage{submissions, [this, keys](Result<std::vector<Accepted>> answer) {
                                 acknowledge(keys, answer);
                                 if (faults_on_ && random_.chance(crash_probability_)) {
                                     throw Crash{};
                                 }
                             }};
    }

    Submission new_submission() {
        const std::string number = std::to_string(sent_.size());
        const bool fraction = random_.chance(0.2);
        Submission submission = submission_of("job-" + number,
                                              static_cast<std::uint32_t>(random_.between(1, 4)),
                                              static_cast<std::uint32_t>(random_.between(0, 3)));
        job::JobSpec& spec = submission.spec;
        if (fraction) {
            spec.gang.chips = 0;
            spec.gang.chip_permille = static_cast<std::uint32_t>(random_.between(1, 9)) * 100;
        }
        spec.gang.cpus_milli = static_cast<std::uint32_t>(random_.between(1, 8)) * 500;
        spec.gang.memory = gibibytes(random_.between(0, 16));
        spec.limit = seconds(random_.between(1, 5000));
        spec.priority = static_cast<job::Priority>(random_.between(0, 3));
        spec.retries = static_cast<std::uint32_t>(random_.between(0, 3));
        if (random_.chance(0.15)) {
            spec.array =
                job::Array{.indices = {1, 3, 4},
                           .at_once_max = static_cast<std::uint32_t>(random_.between(0, 2))};
        }
        if (!sent_.empty() && random_.chance(0.3)) {
            const auto earlier = random_.between(0, static_cast<std::int64_t>(sent_.size()) - 1);
            const std::string name = "job-" + std::to_string(earlier);
            auto& references = random_.chance(0.6)   ? spec.after
                               : random_.chance(0.5) ? spec.after_any
                                                     : spec.after_failure;
            references.push_back(name);
        }
        if (random_.chance(0.2)) {
            spec.data_in = {{random_.chance(0.5) ? "d0" : "d1", "data/in"}};
        }
        if (!spec.array && random_.chance(0.1)) {
            spec.data_out = {{"out", "out-" + number, seconds(1)}};
        }
        submission.key = "key-" + number;
        submission.body_digest = "digest-" + number;
        // What the executor needs to know in order to judge what it is asked to start.
        spec.env = {
            {"REPLICAS", std::to_string(spec.gang.replicas)},
            {"CHIPS_MILLI", std::to_string(spec.gang.chips * 1000 + spec.gang.chip_permille)},
            {"CPUS_MILLI", std::to_string(spec.gang.cpus_milli)},
            {"MEMORY", std::to_string(spec.gang.memory.count)}};
        return submission;
    }

    Message cancellation() {
        const std::string reference =
            std::to_string(random_.between(1, static_cast<std::int64_t>(sent_.size()) + 2));
        return CancelMessage{reference, [](const Result<std::uint32_t>&) {}};
    }

    Operation any_operation() {
        const std::string node = "main-" + std::to_string(random_.between(0, 3));
        const std::string name = "block-" + std::to_string(random_.between(0, 2));
        switch (random_.between(0, 5)) {
            case 0:
                return DrainNode{.node = node, .reason = "fans"};
            case 1:
                return RestoreNode{node};
            case 2: {
                MakeReservation wish;
                wish.name = name;
                wish.node_names = {node};
                wish.from = world_.now + seconds(random_.between(0, 6000));
                wish.duration = seconds(random_.between(1, 3000));
                wish.maintenance = random_.chance(0.5);
                return wish;
            }
            case 3:
                return EndReservation{name};
            case 4:
                return SetPowerCap{.domain = "main/rack/0", .watts = 1e6 * random_.unit()};
            default:
                return NoteCheckpoint{std::to_string(random_.between(1, 30))};
        }
    }

    static Message operation(Operation wish) {
        return OperateMessage{std::move(wish), [](const Result<std::string>&) {}};
    }

    void undo_operations() {
        std::vector<Message> messages;
        for (const auto& known : world_.keeper->book().reservations())
            messages.push_back(operation(EndReservation{known.second.name}));
        const fleet::Fleet& fleet = world_.keeper->book().engine().fleet();
        for (const auto& known : world_.keeper->book().drained()) {
            messages.push_back(
                operation(RestoreNode{fleet.node_name(known.first.first, known.first.second)}));
        }
        messages.push_back(operation(SetPowerCap{.domain = "main/rack/0", .watts = 0}));
        world_.turn(std::move(messages));
    }

    void end_some_attempts() {
        for (const exec::AttemptId id : world_.executor.alive()) {
            if (!random_.chance(faults_on_ ? 0.25 : 0.8)) continue;
            const bool lost = faults_on_ && random_.chance(lose_attempt_probability_);
            const int status = random_.chance(0.2) ? 1 : 0;
            const exec::AttemptEnd end = lost ? world_.executor.lose(id, world_.now)
                                              : world_.executor.finish(id, status, world_.now);
            if (!random_.chance(lose_report_probability_)) reports_.push_back(end);
        }
    }

    void end_some_moves(std::vector<Message>& messages) {
        const auto under_way = world_.mover->under_way;
        for (const auto& [at, move] : under_way) {
            if (!random_.chance(faults_on_ ? 0.3 : 0.8)) continue;
            const bool fails = faults_on_ && random_.chance(0.3);
            const exec::MoveEnd end = fails ? world_.mover->fail(at.first, at.second, "no room")
                                            : world_.mover->finish(at.first, at.second);
            if (!faults_on_ || !random_.chance(lose_report_probability_)) {
                messages.push_back(MovedMessage{end});
            }
        }
    }

    void acknowledge(const std::vector<std::string>& keys,
                     const Result<std::vector<Accepted>>& answer) {
        if (!answer) return;
        ASSERT_EQ(answer->size(), keys.size());
        for (std::size_t i = 0; i < keys.size(); ++i) {
            const auto [known, added] =
                acknowledged_.try_emplace(keys[i], (*answer)[i].first, (*answer)[i].count);
            EXPECT_EQ(known->second.first, (*answer)[i].first)
                << keys[i] << " stands for two submissions";
            if (!added) {
                EXPECT_TRUE((*answer)[i].repeated);
            }
        }
    }

    // The faults have stopped: everything that can end, ends.
    void drain() {
        for (int round = 0; round < 2000; ++round) {
            ASSERT_FALSE(world_.keeper->broken());
            const bool all_in_place = world_.keeper->book().datasets().outputs.empty();
            if (world_.keeper->book().jobs().empty() && all_in_place) return;
            end_some_attempts();
            std::vector<Message> messages;
            for (const exec::AttemptEnd& end : std::exchange(reports_, {})) {
                messages.push_back(EndMessage{end});
            }
            end_some_moves(messages);
            world_.turn(std::move(messages));
            world_.housekeep();
            world_.pass(seconds(1));  // until what failed is tried again
            // A promise is kept when its time comes, also where nothing else happens.
            if (world_.keeper->wakes_in(world_.moment()) == Duration{0})
                world_.keeper->wake(world_.moment());
        }
        std::string why;
        for (const auto& [id, job] : world_.keeper->book().jobs()) {
            const auto said = world_.keeper->explain(std::to_string(id.value));
            why += "\n" + (said ? said->sentence : said.error().message);
        }
        FAIL() << world_.keeper->book().jobs().size() << " jobs do not come to an end:" << why;
    }

    // ------------------------------------------------------------- what must be true

    void check_gang(const exec::Launch& launch) {
        EXPECT_EQ(std::to_string(launch.tasks.size()), launch.env.at("REPLICAS"))
            << "attempt " << exec::text_of(launch.attempt) << " starts as part of a gang";
    }

    void check_data(const exec::Launch& launch) {
        for (const exec::Link& link : launch.links) {
            if (link.target.empty()) continue;
            const std::string dataset = link.target.substr(link.target.rfind('/') + 1);
            EXPECT_TRUE(world_.mover->has(dataset, "local"))
                << "attempt " << exec::text_of(launch.attempt) << " starts without " << dataset;
        }
    }

    void check() {
        for (const std::string& breach : world_.executor.breaches)
            ADD_FAILURE() << breach;
        world_.executor.breaches.clear();
        struct Load {
            std::uint64_t chips_milli = 0;
            std::uint64_t cpus_milli = 0;
            std::uint64_t memory = 0;
        };
        std::map<std::string, Load> loads;
        for (const exec::AttemptId id : world_.executor.alive()) {
            const exec::Launch& launch = world_.executor.attempts.at(id).launch;
            for (const exec::Task& task : launch.tasks) {
                Load& load = loads[task.node];
                load.chips_milli += std::stoull(launch.env.at("CHIPS_MILLI"));
                load.cpus_milli += std::stoull(launch.env.at("CPUS_MILLI"));
                load.memory += std::stoull(launch.env.at("MEMORY"));
            }
        }
        for (const auto& [node, load] : loads) {
            EXPECT_LE(load.chips_milli, 4000U) << node;
            EXPECT_LE(load.cpus_milli, 16'000U) << node;
            EXPECT_LE(load.memory, static_cast<std::uint64_t>(gibibytes(64).count)) << node;
        }
        if (world_.keeper->broken()) return;
        for (const auto& [key, job] : acknowledged_) {
            EXPECT_TRUE(world_.keeper->book().everybody().knows(job.first))
                << key << " was acknowledged as job " << job.first.value << " and is gone";
        }
    }

    void check_end() {
        std::map<JobId, std::uint32_t> executions;
        for (const exec::AttemptId id : world_.executor.order)
            ++executions[id.job];
        std::map<std::string, std::set<JobId>> first_of_name;
        JobFilter everything;
        everything.limit = 100'000;
        const auto views = world_.keeper->jobs(everything);
        ASSERT_TRUE(views) << views.error().message;
        for (const JobView& view : *views) {
            EXPECT_TRUE(is_final(view.state)) << view.id;
            // One that was to be stopped for others before a crash let it begin never did.
            const auto begun = std::count_if(
                view.attempts.begin(), view.attempts.end(), [](const AttemptView& attempt) {
                    return !attempt.end ||
                           attempt.end->detail != "it was stopped before it was started";
                });
            EXPECT_EQ(begun, executions[view.job])
                << view.id << " has other attempts in the hub than in the world";
            first_of_name[view.spec.name].insert(
                world_.keeper->book().everybody().first_of(view.job));
        }
        for (const auto& [name, firsts] : first_of_name) {
            EXPECT_EQ(firsts.size(), 1U) << name << " was accepted more than once";
        }
        for (const auto& [key, job] : acknowledged_) {
            EXPECT_EQ(first_of_name["job-" + key.substr(4)].count(job.first), 1U) << key;
        }
        const auto report = replay(world_.memory, nullptr);
        ASSERT_TRUE(report) << report.error().message;
        ASSERT_FALSE(report->difference) << report->difference->sentence;
        EXPECT_EQ(report->digest, world_.keeper->status().digest);
        EXPECT_EQ(report->jobs, world_.keeper->status().jobs_accepted);
        EXPECT_EQ(report->entries, world_.keeper->status().journal_entries);
        const std::size_t documents = world_.memory.list("job", "", 100'000)->size();
        EXPECT_EQ(documents, report->jobs) << "an ended job has no document";
        // Changes are numbered without a gap, whatever happened between.
        std::uint64_t last = 0;
        for (const Change& change : world_.changes) {
            EXPECT_TRUE(last == 0 || change.sequence > last);
            last = change.sequence;
        }
    }

    struct Known {
        Known(JobId its_first, std::uint32_t its_count) : first(its_first), count(its_count) {}
        JobId first;
        std::uint32_t count;
    };

    Random random_;
    HubWorld world_;
    bool faults_on_ = true;
    double crash_probability_ = 0;
    double refuse_probability_ = 0;
    double lose_report_probability_ = 0;
    double lose_attempt_probability_ = 0;
    std::map<std::string, Submission> sent_;  // by key
    std::map<std::string, Known> acknowledged_;
    std::vector<exec::AttemptEnd> reports_;  // on their way to the hub
    int crashes_ = 0;
};

TEST(KeeperUnderFaults, LosesNoAcknowledgedJobRunsNoneTwiceAndReplaysBitForBit) {
    log::open("/dev/null", log::Level::error);
    std::uint64_t first = 1;
    std::uint64_t last = 250;
    if (const char* seed = std::getenv("WEIR_SEED")) first = last = std::stoull(seed);
    int crashes = 0;
    std::size_t starts = 0;
    for (std::uint64_t seed = first; seed <= last; ++seed) {
        SCOPED_TRACE("to repeat: WEIR_SEED=" + std::to_string(seed) +
                     " hub_test --gtest_filter='KeeperUnderFaults.*'");
        FaultyHistory history(seed);
        history.run();
        crashes += history.crashes();
        starts += history.starts();
        if (HasFailure()) break;
    }
    log::open("", log::Level::warn);
    if (first == last) return;
    // Worlds in which nothing happens prove nothing.
    EXPECT_GT(crashes, 300);
    EXPECT_GT(starts, 3000U);
}

}  // namespace
}  // namespace weir::hub
