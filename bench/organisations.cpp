// What organisations cost at a million chips, and what lending is worth.
//
//     organisations [--events N] [--seed N] [--nodes N] [--loans N] [--helios FILE] [--json]
//
// steady     the steady state of million_chips with 200 organisations in 40 houses, with quotas,
//            limits on lending and borrowing, weights, dominant shares and reclaim; and with so
//            many loans between them, one of which ends every hour
// reclaim    an owner asks for 4,000 chips, of which others have borrowed every single one, each
//            with a job of its own: one pass that finds and stops them
// why        the time of "why does it wait?", and of what would help, for jobs that wait in the
//            steady state
// helios     the demand of the 16 virtual clusters of a real month (FILE: a line whenever quota,
//            use or demand of one changes): how many of the chips that some wait for, while others
//            with nobody waiting leave theirs idle, would be given at once
#include <algorithm>
#include <cstdio>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "weir/base/huge_pages.hpp"
#include "weir/tenancy/quota_tree.hpp"

#include "bench/arguments.hpp"
#include "bench/world.hpp"

namespace {

using namespace weir;
using namespace weir::bench;
using tenancy::Amount;

// 40 houses of five members each. Three quarters of each kind of chip are owned by members, half of
// the houses more than the others; some houses lend only a part, some members borrow little.
tenancy::Organisations two_hundred(const fleet::Fleet& fleet, std::uint64_t seed) {
    Random random(seed);
    tenancy::Organisations house{.resources = {}, .tenants = {{}}};
    std::map<std::string, Amount> chips;
    for (const fleet::Pool& pool : fleet.pools)
        chips[pool.chip] += Amount{pool.nodes} * pool.chips_per_node;
    for (const auto& [chip, count] : chips)
        house.resources.push_back({tenancy::Resource::Kind::chips, chip});
    for (int h = 0; h < 40; ++h) {
        const TenantId parent{static_cast<std::uint32_t>(house.tenants.size())};
        const std::string path = "house-" + std::to_string(h);
        house.tenants.push_back(
            {.path = path, .parent = TenantId{0}, .weight_milli = h % 4 == 0 ? 2000U : 1000U});
        for (int m = 0; m < 5; ++m) {
            tenancy::Tenant member{.path = path + "/" + std::to_string(m), .parent = parent};
            std::uint32_t r = 0;
            for (const auto& [chip, count] : chips) {
                const Amount mean = count * 3 / 4 / 200;
                const Amount quota = (h % 2 == 0 ? mean * 3 / 2 : mean / 2) * 1000;
                member.quota.push_back({r, quota});
                if (random.chance(0.2)) member.lend.push_back({r, quota / 2});
                if (random.chance(0.2)) member.borrow.push_back({r, quota});
                ++r;
            }
            house.tenants.push_back(std::move(member));
        }
    }
    return house;
}

// Each from a member of one house to one of the next: a quarter of its quota of one kind of chip.
void lend(World& world, const tenancy::Organisations& house, std::uint32_t loans) {
    const std::vector<TenantId> members = World::members_of(house);
    for (std::uint32_t i = 0; i < loans; ++i) {
        const TenantId lender = members[i * 7 % members.size()];
        tenancy::Allowance amount = house.tenant(lender).quota.at(i % house.resources.size());
        amount.amount /= 4;
        world.engine().apply(sched::LoanChanged{{.loan = i,
                                                 .lender = lender,
                                                 .borrower = members[(i * 7 + 5) % members.size()],
                                                 .amounts = {amount},
                                                 .from = world.now(),
                                                 .until = world.now() + seconds(3600) * (i + 1)}},
                             world.now());
    }
}

struct Why {
    double p50_us = 0, p99_us = 0;            // Engine::explain
    double help_p50_us = 0, help_p99_us = 0;  // Engine::counterfactuals, with other pools
    double start_us = 0;                      // the first Engine::estimate after a change
};

double share(std::vector<double>& values, double part) {
    std::sort(values.begin(), values.end());
    if (values.empty()) return 0;
    return values[static_cast<std::size_t>(static_cast<double>(values.size() - 1) * part)];
}

// Of every n-th job that waits.
Why why(World& world, std::size_t count) {
    std::vector<double> each_us;
    std::vector<double> help_us;
    std::uint64_t job = 1;
    const std::uint64_t step = std::max<std::uint64_t>(1, world.submitted() / (4 * count));
    for (; job <= world.submitted() && each_us.size() < count; job += step) {
        if (world.engine().phase(JobId{job}) != sched::Phase::pending) continue;
        const Clock::time_point began = Clock::now();
        const sched::Explanation answer = world.engine().explain(JobId{job}, world.now());
        each_us.push_back(seconds_since(began) * 1e6);
        if (answer.sentence.empty()) std::abort();
        if (each_us.size() % 4 != 0) continue;
        std::vector<PoolId> others;  // all of them: those it accepts come first
        for (std::uint32_t pool = 0; pool < world.engine().fleet().pools.size(); ++pool)
            others.push_back(PoolId{pool});
        const Clock::time_point asked = Clock::now();
        (void)world.engine().counterfactuals(JobId{job}, others, world.now());
        help_us.push_back(seconds_since(asked) * 1e6);
    }
    const Clock::time_point began = Clock::now();
    (void)world.engine().estimate(JobId{job}, world.now());
    return {.p50_us = share(each_us, 0.5),
            .p99_us = share(each_us, 0.99),
            .help_p50_us = share(help_us, 0.5),
            .help_p99_us = share(help_us, 0.99),
            .start_us = seconds_since(began) * 1e6};
}

// One owner, one borrower with so many jobs of one chip each; milliseconds of the pass.
double reclaim_ms(std::uint32_t chips, std::uint64_t& stopped) {
    fleet::Fleet fleet = fleet_of(125'000);
    tenancy::Organisations house{.resources = {}, .tenants = {{}}};
    house.resources.push_back({tenancy::Resource::Kind::chips, "chip-0"});
    Amount all = 0;
    for (fleet::Pool& pool : fleet.pools) {
        pool.rack_power_watts = 0;
        if (pool.chip == "chip-0") all += Amount{pool.nodes} * pool.chips_per_node;
    }
    house.tenants.push_back(
        {.path = "owner", .parent = TenantId{0}, .quota = {{0, Amount{chips} * 1000}}});
    house.tenants.push_back(
        {.path = "guest", .parent = TenantId{0}, .quota = {{0, (all - chips) * 1000}}});
    const auto policy = sched::policy_from_text("weir preemptions_per_hour=1000000 min_run=0s");
    sched::Engine engine(fleet, *policy, tenancy::rights_on(fleet, house, {}));
    std::vector<sched::Decision> decisions;
    std::uint64_t id = 0;
    const auto submit = [&](std::uint32_t tenant, std::uint32_t replicas) {
        sched::Request request;
        request.job = JobId{++id};
        request.tenant = TenantId{tenant};
        request.limit = seconds(86'400);
        request.demand.parts = {
            {.replicas = replicas,
             .each = {.chips = 1, .chip_permille = 0, .cpus_milli = 0, .memory = {}}}};
        for (std::uint32_t p = 0; p < fleet.pools.size(); p += 4)
            request.demand.pools.push_back(PoolId{p});
        engine.apply(sched::JobSubmitted{std::move(request)}, at_seconds(0));
    };
    for (Amount i = 0; i < all; ++i)
        submit(2, 1);
    engine.decide(at_seconds(0), decisions);
    submit(1, chips);
    decisions.clear();
    const Clock::time_point began = Clock::now();
    engine.decide(at_seconds(100), decisions);
    const double ms = seconds_since(began) * 1e3;
    stopped = 0;
    for (const sched::Decision& decision : decisions)
        stopped += std::holds_alternative<sched::Preempt>(decision.what) ? 1 : 0;
    return ms;
}

struct Helios {
    double could_be_lent = 0, given = 0, borrowed = 0;  // chips, on average over the time
    bool found = false;
};

std::vector<std::string> fields(const std::string& line) {
    std::vector<std::string> list;
    std::stringstream stream(line);
    for (std::string field; std::getline(stream, field, ',');)
        list.push_back(field);
    return list;
}

// Every cluster runs what
// it ran; what it asks for beyond that may be lent from what others leave idle.
Helios helios(const std::string& path) {
    Helios result;
    std::ifstream file(path);
    std::string line;
    if (!file || !std::getline(file, line)) return result;
    std::map<std::string, std::size_t> column;
    for (const std::string& name : fields(line))
        column.emplace(name, column.size());
    struct State {
        Amount quota = 0, used = 0, asked = 0;
    };
    std::map<std::string, State> clusters;
    double from = 0;
    double last = 0;
    double could_sum = 0;
    double given_sum = 0;
    double borrowed_sum = 0;
    bool first = true;
    while (std::getline(file, line)) {
        const std::vector<std::string> row = fields(line);
        const double now = std::stod(row.at(column.at("t_s")));
        if (first) from = last = now;
        first = false;
        if (now > last) {
            // The tree of this moment, and what is asked for by those who wait.
            tenancy::Organisations house{.resources = {{tenancy::Resource::Kind::chips, "gpu"}},
                                         .tenants = {{}}};
            Amount idle = 0;
            Amount asked = 0;
            Amount capacity = 0;
            for (const auto& [name, its] : clusters) {
                house.tenants.push_back(
                    {.path = name, .parent = TenantId{0}, .quota = {{0, its.quota}}});
                capacity += its.quota;
                asked += its.asked;
                if (its.asked == 0) idle += std::max<Amount>(0, its.quota - its.used);
            }
            tenancy::QuotaTree tree(house, {capacity});
            std::uint32_t number = 0;
            for (const auto& [name, its] : clusters)
                tree.use(TenantId{++number}, 0, its.used);
            number = 0;
            Amount given = 0;
            Amount borrowed = 0;
            for (const auto& [name, its] : clusters) {
                const TenantId x{++number};
                const Amount own = std::max<Amount>(0, its.quota - tree.usage(x, 0));
                const Amount more = std::min(its.asked, tree.available(x, 0));
                if (more <= 0) continue;
                tree.use(x, 0, more);
                given += more;
                borrowed += std::max<Amount>(0, more - own);
            }
            could_sum += (now - last) * static_cast<double>(std::min(idle, asked));
            // No more than lay idle elsewhere: what somebody has itself is not lent to it.
            given_sum += (now - last) * static_cast<double>(std::min(idle, given));
            borrowed_sum += (now - last) * static_cast<double>(borrowed);
            last = now;
        }
        State& its = clusters[row.at(column.at("vc"))];
        its.quota = std::stoll(row.at(column.at("quota_gpus")));
        its.used = std::stoll(row.at(column.at("running_gpus")));
        its.asked = std::stoll(row.at(column.at("pending_gpus")));
    }
    result.found = last > from;
    if (result.found) {
        result.could_be_lent = could_sum / (last - from);
        result.given = given_sum / (last - from);
        result.borrowed = borrowed_sum / (last - from);
    }
    return result;
}

}  // namespace

int main(int argc, char** argv) {
    use_huge_pages(argv);  // as the hub does
    Arguments given("bench_organisations", argc, argv);
    const bool json = given.has("--json");
    const bool only_steady = given.has("--steady");
    const std::uint64_t events = given.number("--events", 100'000, 1'000'000'000);
    const std::uint64_t seed = given.number("--seed", 1, 1'000'000'000);
    const auto loans = static_cast<std::uint32_t>(given.number("--loans", 0, 1'000'000));
    const auto nodes = static_cast<std::uint32_t>(given.number("--nodes", 125'000, 10'000'000));
    const std::string helios_path = given.text("--helios", "");
    const auto policy = sched::policy_from_text(given.text("--policy", "weir"));
    if (!policy) given.stop(policy.error().message);
    given.no_more();
    const tenancy::Organisations house = two_hundred(fleet_of(nodes), seed);
    World world(nodes, seed, *policy, house);
    lend(world, house, loans);
    const Steady s = steady(world, events);
    const Why reasons = why(world, 1000);
    std::uint64_t stopped = 0;
    const double ms = only_steady ? 0 : reclaim_ms(4000, stopped);
    const Helios lending = helios(helios_path);
    std::printf(
        json ? "{\"nodes\":%llu,\"running\":%llu,\"pending\":%llu,\"decisions_per_s\":%.0f,"
               "\"us_each\":%.2f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"peak_gib\":%.2f,\"stops\":%llu,"
               "\"why_p50_us\":%.1f,\"why_p99_us\":%.1f,\"help_p50_us\":%.1f,\"help_p99_us\":%.1f,"
               "\"start_us\":%.1f,\"reclaim_ms\":%.1f,\"reclaimed\":%llu,"
               "\"could_be_lent\":%.2f,\"given\":%.2f,\"borrowed\":%.2f,"
               "\"decisions_per_cpu_s\":%.0f,\"digest\":\"%016llx\"}\n"
             : "200 organisations on %llu nodes: %llu run, %llu wait; %.0f decisions/s, %.2f us "
               "each, p50 %.1f us, p99 %.1f us, %.2f GiB, %llu stopped\n"
               "why it waits: p50 %.1f us, p99 %.1f us; what would help: p50 %.1f us, p99 %.1f us; "
               "when it starts: %.1f us\n"
               "reclaim of 4,000 chips lent one by one: %.1f ms, %llu stopped\n"
               "helios: of %.2f chips that could be lent %.2f are given, %.2f of them beyond the "
               "own quota\n"
               "%.0f decisions a second of processor time; digest %016llx\n",
        static_cast<unsigned long long>(s.nodes),
        static_cast<unsigned long long>(s.running),
        static_cast<unsigned long long>(s.pending),
        s.per_s(),
        s.us_each(),
        s.p50_us,
        s.p99_us,
        s.gib,
        static_cast<unsigned long long>(world.stops()),
        reasons.p50_us,
        reasons.p99_us,
        reasons.help_p50_us,
        reasons.help_p99_us,
        reasons.start_us,
        ms,
        static_cast<unsigned long long>(stopped),
        lending.could_be_lent,
        lending.given,
        lending.borrowed,
        s.per_cpu_s(),
        static_cast<unsigned long long>(world.engine().digest()));
    return 0;
}
