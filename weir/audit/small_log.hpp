// A small log that keeps every rule and exercises each of them: what the tests of this room read,
// and tamper with line by line. Two racks of two nodes with four chips each, and a pool without
// chips.
#pragma once

#include <string>
#include <vector>

#include "weir/audit/log_format.hpp"

namespace weir::audit {

inline fleet::Placement on(std::vector<fleet::NodeRange> ranges) {
    return {std::move(ranges)};
}
// `count` nodes from `first`, one replica on each, with the chips of `mask`.
inline fleet::NodeRange nodes(std::uint32_t first,
                              std::uint32_t count,
                              std::uint64_t mask,
                              std::uint32_t pool = 0) {
    return {.pool = PoolId{pool}, .first = first, .count = count, .chip_mask = mask};
}

inline Submitted small_job(std::uint64_t id, std::uint32_t replicas, std::uint32_t chips) {
    Submitted job;
    job.job = JobId{id};
    job.demand.parts = {{.replicas = replicas, .each = {.chips = chips, .cpus_milli = 1000}}};
    job.demand.pools = {PoolId{0}};
    job.limit = seconds(100);
    return job;
}

inline Header small_fleet() {
    Header header;
    header.policy = "weir min_run=10s";
    header.min_run = seconds(10);
    header.preemptions_per_hour_max = 1;
    header.fleet.sites = {{.name = "here", .power_watts = 9000}};
    fleet::Pool pool;
    pool.name = "a";
    pool.site = "here";
    pool.chip = "chip";
    pool.nodes = 4;
    pool.chips_per_node = 4;
    pool.cpus_milli = 8000;
    pool.memory = gibibytes(64);
    pool.nodes_per_rack = 2;
    pool.racks_per_pod = 1;
    pool.rack_power_watts = 4000;
    pool.node_idle_watts = 400;
    pool.node_busy_watts = 2000;
    fleet::Pool plain = pool;
    plain.name = "b";
    plain.chip = "";
    plain.chips_per_node = 0;
    plain.node_busy_watts = 0;
    plain.node_idle_watts = 0;
    plain.rack_power_watts = 0;
    header.fleet.pools = {pool, plain};
    return header;
}

inline std::vector<Record> small_log() {
    std::vector<Record> log;
    const auto say = [&](std::int64_t at, What what) {
        log.push_back({at_seconds(at), std::move(what)});
    };
    const Came good = Came::succeeded;
    say(0, small_fleet());

    // A gang inside a rack, then one that is promised its place and gets it.
    Submitted first = small_job(1, 2, 4);
    first.demand.within = fleet::Level::rack;
    first.replace_failed = true;
    say(0, first);
    say(0, Started{JobId{1}, "fits_now", on({nodes(0, 2, 0xF)})});
    Submitted wide = small_job(2, 4, 4);
    say(1, wide);
    say(1, Promised{JobId{2}, at_seconds(100)});
    // Shares of chips, and a member of an array beside it.
    Submitted share = small_job(3, 1, 0);
    share.demand.parts[0].each.chip_permille = 500;
    share.limit = seconds(90);
    say(2, share);
    say(2, Started{JobId{3}, "backfilled", on({nodes(2, 1, 0x1)})});
    for (const std::uint64_t id : {4, 5}) {
        Submitted member = small_job(id, 1, 2);
        member.array = JobId{4};
        member.array_at_once_max = 1;
        member.limit = seconds(30);
        say(3, member);
    }
    say(3, Started{JobId{4}, "backfilled", on({nodes(2, 1, 0x6)})});
    say(33, Ended{JobId{4}, good, false});
    say(33, Started{JobId{5}, "backfilled", on({nodes(2, 1, 0x6)})});
    say(60, Ended{JobId{5}, good, false});
    say(80, Ended{JobId{3}, good, false});
    say(90, Ended{JobId{1}, good, false});
    say(90, Started{JobId{2}, "promised", on({nodes(0, 4, 0xF)})});

    // Urgent work stops it; it had run its time. Somebody depends on the urgent one.
    Submitted urgent = small_job(6, 2, 4);
    urgent.priority = Class::urgent;
    urgent.deadline = at_seconds(160);
    urgent.limit = seconds(40);
    say(110, urgent);
    Submitted after = small_job(7, 1, 1);
    after.after = {{JobId{6}, Waits::success}};
    say(110, after);
    say(110, Preempted{JobId{2}, JobId{6}});
    say(115, Ended{JobId{2}, Came::lost, true});
    say(115, Started{JobId{6}, "fits_now", on({nodes(0, 2, 0xF)})});
    say(150, Ended{JobId{6}, good, false});
    say(150, Started{JobId{7}, "fits_now", on({nodes(3, 1, 0x1)})});
    say(160, Ended{JobId{7}, good, false});
    say(160, Started{JobId{2}, "fits_now", on({nodes(0, 4, 0xF)})});
    say(200, Ended{JobId{2}, good, false});

    // A gang loses a node and goes on with another; the node comes back.
    Submitted lasting = small_job(8, 1, 4);
    lasting.demand.parts[0].replicas = 2;
    lasting.replace_failed = true;
    say(210, lasting);
    say(210, Started{JobId{8}, "fits_now", on({nodes(0, 2, 0xF)})});
    say(220, NodeHealth{PoolId{0}, 1, Health::down});
    say(220, NodeLost{JobId{8}, PoolId{0}, 1});
    say(220, Replaced{JobId{8}, on({nodes(0, 1, 0xF), nodes(2, 1, 0xF)})});
    say(230, NodeHealth{PoolId{0}, 1, Health::up});
    say(240, Ended{JobId{8}, good, false});

    // A cap is lowered, and small work still fits under it.
    say(250, CapSet{{fleet::Level::rack, PoolId{0}, 0}, 1300});
    say(250, small_job(9, 1, 1));
    say(250, Started{JobId{9}, "fits_now", on({nodes(0, 1, 0x1)})});
    say(260, Ended{JobId{9}, good, false});

    // A rack is set apart for whoever carries tag 1.
    say(300, SetApart{AdvanceId{1}, at_seconds(400), at_seconds(500), false, {{PoolId{0}, 2, 2}}});
    Submitted inside = small_job(10, 2, 4);
    inside.demand.tag = 1;
    say(300, inside);
    Submitted before = small_job(11, 1, 1);
    say(300, before);
    say(300, Started{JobId{11}, "fits_now", on({nodes(2, 1, 0x1)})});
    say(350, Ended{JobId{11}, good, false});
    say(400, Started{JobId{10}, "fits_now", on({nodes(2, 2, 0xF)})});
    say(490, Ended{JobId{10}, good, false});
    return log;
}

// A run of 100 s on two nodes of two chips that counts where its chip-seconds went. A job of one
// node is thrown back by a failure; one of both nodes is promised them meanwhile.
inline std::vector<Record> counted_log() {
    std::vector<Record> log;
    const auto say = [&](std::int64_t at, What what) {
        log.push_back({at_seconds(at), std::move(what)});
    };
    Header header = small_fleet();
    header.counted_in = Unit::chips;
    header.fleet.pools.resize(1);
    header.fleet.pools[0].nodes = 2;
    header.fleet.pools[0].chips_per_node = 2;
    say(0, header);
    Submitted narrow = small_job(101, 1, 2);
    narrow.tenant = "lab";
    say(0, narrow);
    say(0, Started{JobId{101}, "fits_now", on({nodes(0, 1, 0x3)})});
    say(10, small_job(102, 2, 2));
    say(10, Promised{JobId{102}, at_seconds(100), {{PoolId{0}, 0, 2}}});
    say(40, NodeHealth{PoolId{0}, 0, Health::down});
    const Spent saved{.checkpoint = seconds(5), .kept = seconds(25)};
    say(40, Ended{.job = JobId{101}, .outcome = Came::lost, .requeue = true, .spent = saved});
    say(40, Started{JobId{101}, "backfilled", on({nodes(1, 1, 0x3)})});
    say(60, NodeHealth{PoolId{0}, 0, Health::up});
    say(70, Ended{.job = JobId{101}, .spent = {.restart = seconds(2)}});
    // Thousandths of a chip x ms: 2,000 for 40 s and 30 s.
    Account first{JobId{101}, {}};
    first.split[Went::checkpoint] = 10'000'000;
    first.split[Went::restart] = 4'000'000;
    first.split[Went::lost_work] = 20'000'000;
    first.split[Went::running] = 106'000'000;
    say(70, first);
    say(70, Started{JobId{102}, "promised", on({nodes(0, 2, 0x3)})});
    say(100,
        Ended{.job = JobId{102}, .measured = true, .plan_ppm = 800'000, .kernel_ppm = 500'000});
    Account second{JobId{102}, {}};
    second.split[Went::plan] = 24'000'000;
    second.split[Went::kernel] = 48'000'000;
    second.split[Went::useful] = 48'000'000;
    say(100, second);
    Split all = first.split;
    for (const Went way : {Went::plan, Went::kernel, Went::useful})
        all[way] = second.split[way];
    all[Went::not_demanded] = 20'000'000;  // a node for 10 s
    all[Went::promised] = 80'000'000;      // a node for 30 s, and for 10 s
    all[Went::failed] = 40'000'000;        // a node for 20 s
    say(100,
        Waterfall{.from = Time{},
                  .sites = {{"here", all}},
                  .pools = {{"a", all}},
                  .tenants = {{"lab", first.split}, {"", second.split}},
                  .total = all});
    return log;
}

// Two sites; what the second job reads is copied to the first one, where something makes room.
inline std::vector<Record> data_log() {
    std::vector<Record> log;
    const auto say = [&](std::int64_t at, What what) {
        log.push_back({at_seconds(at), std::move(what)});
    };
    Header header = small_fleet();
    header.fleet.sites.resize(2);
    header.fleet.sites[1] = {.name = "far"};
    header.fleet.sites[0].storage.capacity = Bytes{100};
    header.fleet.sites[1].storage.datasets = {{"era5", Bytes{60}}, {"mesh", Bytes{50}}};
    header.fleet.pools[1].site = "far";
    // Both are joined to a site in between, which keeps nothing.
    header.fleet.sites.push_back({.name = "between"});
    header.fleet.sites[1].storage.bytes_per_s = 6;
    header.fleet.links = {{.between = {"far", "between"}, .bytes_per_s = 10, .latency = {}},
                          {.between = {"here", "between"}, .bytes_per_s = 8, .latency = {}}};
    say(0, header);
    const auto reads = [](std::uint64_t id, const char* dataset) {
        Submitted job = small_job(id, 1, 4);
        job.demand.pools = {PoolId{0}};
        job.data = {dataset};
        return job;
    };
    say(0, reads(301, "era5"));
    say(0, Copied{"era5", 1, 0, at_seconds(10), at_seconds(0), {0, 1}});
    say(10, Arrived{"era5", 0});
    say(10, Started{JobId{301}, "fits_now", on({nodes(0, 1, 0xF)})});
    say(20, Ended{.job = JobId{301}});
    say(20, reads(302, "mesh"));
    say(20, Forgotten{"era5", 0});
    say(20, Copied{"mesh", 1, 0, at_seconds(30), at_seconds(20), {0, 1}});
    say(30, Arrived{"mesh", 0});
    say(30, Started{JobId{302}, "fits_now", on({nodes(0, 1, 0xF)})});
    say(40, Ended{.job = JobId{302}});
    return log;
}

// A job that may run on one node or on four: it waits for four, is stopped, and goes on with four.
inline std::vector<Record> sized_log() {
    std::vector<Record> log;
    const auto say = [&](std::int64_t at, What what) {
        log.push_back({at_seconds(at), std::move(what)});
    };
    say(0, small_fleet());
    Submitted other = small_job(601, 3, 4);
    other.limit = seconds(40);
    say(0, other);
    say(0, Started{JobId{601}, "fits_now", on({nodes(0, 3, 0xF)})});
    Submitted sized = small_job(602, 1, 4);
    sized.limit = seconds(200);
    Size four{.demand = sized.demand, .limit = seconds(60)};
    four.demand.parts[0].replicas = 4;
    sized.sizes = {four};
    say(1, sized);
    say(1, Promised{JobId{602}, at_seconds(40), {{PoolId{0}, 0, 4}}, 1});
    say(30, Ended{.job = JobId{601}});
    say(30, Started{JobId{602}, "promised", on({nodes(0, 4, 0xF)}), 1});
    Submitted urgent = small_job(603, 1, 1);
    urgent.priority = Class::urgent;
    say(50, urgent);
    say(50, Preempted{JobId{602}, JobId{603}});
    say(55, Ended{JobId{602}, Came::lost, true});
    say(55, Started{JobId{603}, "fits_now", on({nodes(0, 1, 0x1)})});
    say(60, Ended{.job = JobId{603}});
    say(60, Started{JobId{602}, "fits_now", on({nodes(0, 4, 0xF)}), 1});
    say(120, Ended{.job = JobId{602}});
    return log;
}

// A run of 90 s under organisations, on four nodes of four chips and, of another kind, two more.
// The owner takes back what the park has borrowed; then somebody has room but no right, and
// somebody else only chips that its contract forbids.
inline std::vector<Record> house_log() {
    std::vector<Record> log;
    const auto say = [&](std::int64_t at, What what) {
        log.push_back({at_seconds(at), std::move(what)});
    };
    Header header = small_fleet();
    header.fleet.pools[1] = header.fleet.pools[0];
    header.fleet.pools[1].name = "c";
    header.fleet.pools[1].chip = "other";
    header.fleet.pools[1].nodes = 2;
    header.fleet.pools[1].rack_power_watts = 0;
    header.fleet.pools[1].node_idle_watts = 0;
    header.fleet.pools[1].node_busy_watts = 0;
    header.resources = {"chip"};
    header.organisations = {
        {.path = "owner", .quota = {{0, 8000}}, .lend = {}, .borrow = {}},
        {.path = "park", .quota = {}, .lend = {}, .borrow = {}},
        {.path = "park/one", .weight_milli = 500, .quota = {}, .lend = {}, .borrow = {{0, 8000}}},
        {.path = "park/two", .quota = {{0, 8000}}, .lend = {}, .borrow = {}}};
    header.measures = {{.per_chip = {{0, 1000}}, .per_cpu = {}}, {}};
    say(0, header);
    const auto job_of = [](std::uint64_t id, std::uint32_t replicas, const char* organisation) {
        Submitted job = small_job(id, replicas, 4);
        job.tenant = organisation;
        job.organisation = organisation;
        return job;
    };
    const char* const fits = "fits_now";
    say(0, job_of(201, 1, "owner"));
    say(0, Started{JobId{201}, fits, on({nodes(0, 1, 0xF)})});
    say(0, job_of(205, 1, "park/two"));
    say(0, Started{JobId{205}, fits, on({nodes(3, 1, 0xF)})});
    say(0, job_of(202, 2, "park/one"));
    say(0, Started{JobId{202}, fits, on({nodes(1, 2, 0xF)})});
    say(0, job_of(203, 1, "park/one"));
    say(20, job_of(204, 1, "owner"));
    say(20, Preempted{JobId{202}, JobId{204}, "reclaimed"});
    say(22, Cancelled{JobId{203}});
    say(25,
        Ended{.job = JobId{202},
              .outcome = Came::lost,
              .requeue = true,
              .spent = {.kept = seconds(25)}});
    say(25, Started{JobId{204}, fits, on({nodes(1, 1, 0xF)})});
    Submitted exact = job_of(206, 2, "park/two");
    exact.barred = {PoolId{1}};
    say(30, exact);
    for (const std::uint64_t id : {201, 204, 205})
        say(60, Ended{.job = JobId{id}});
    say(60, Started{JobId{202}, fits, on({nodes(0, 2, 0xF)})});
    say(60, Started{JobId{206}, fits, on({nodes(2, 2, 0xF)})});
    say(90, Ended{.job = JobId{202}});
    say(90, Ended{.job = JobId{206}});
    return log;
}

// Four nodes of four chips, of which the lab owns two. It lends both to the shop and calls them
// back; a second loan is refused when it is to begin, because the lab waits for a whole node and
// none could be had; a third one is given back.
inline std::vector<Record> loan_log() {
    std::vector<Record> log;
    const auto say = [&](std::int64_t at, What what) {
        log.push_back({at_seconds(at), std::move(what)});
    };
    Header header = small_fleet();
    header.resources = {"chip"};
    header.organisations = {{.path = "lab", .quota = {{0, 8000}}, .lend = {}, .borrow = {{0, 0}}},
                            {.path = "shop", .quota = {}, .lend = {}, .borrow = {{0, 0}}}};
    header.measures = {{.per_chip = {{0, 1000}}, .per_cpu = {}}, {}};
    header.fleet.pools[0].rack_power_watts = 0;
    say(0, header);
    const auto job_of = [](std::uint64_t id, const char* organisation, int limit) {
        Submitted job = small_job(id, 1, 4);
        job.organisation = organisation;
        job.limit = seconds(limit);
        return job;
    };
    const auto lent = [](std::uint32_t loan, std::int64_t amount, int begins, int until) {
        return Lent{.loan = loan,
                    .lender = "lab",
                    .borrower = "shop",
                    .amounts = {{0, amount}},
                    .begins = at_seconds(begins),
                    .until = at_seconds(until),
                    .notice = seconds(40)};
    };
    const char* const fits = "fits_now";
    say(0, lent(0, 8000, 0, 150));
    say(0, job_of(401, "shop", 100));
    say(0, Started{JobId{401}, fits, on({nodes(0, 1, 0xF)})});
    Submitted saves = job_of(402, "shop", 100);
    saves.checkpoint_every = seconds(20);
    saves.checkpoint_cost = seconds(5);
    say(0, saves);
    say(0, Started{JobId{402}, fits, on({nodes(1, 1, 0xF)})});
    Submitted centre = small_job(404, 2, 4);
    centre.limit = seconds(300);
    say(0, centre);
    say(0, Started{JobId{404}, fits, on({nodes(2, 2, 0xF)})});
    say(10, job_of(403, "lab", 50));
    say(20, CalledBack{0, at_seconds(60)});
    say(20, Promised{JobId{403}, at_seconds(60), {{PoolId{0}, 1, 1}}});
    say(55, Preempted{JobId{402}, JobId{403}, "reclaimed"});
    say(60, Ended{.job = JobId{402}, .outcome = Came::lost, .requeue = true});
    say(60, Started{JobId{403}, "promised", on({nodes(1, 1, 0xF)})});
    say(70, lent(1, 4000, 120, 400));
    say(100, Ended{.job = JobId{401}});
    say(110, Ended{.job = JobId{403}});
    for (const std::uint64_t id : {407, 408}) {
        say(112, small_job(id, 1, 2));
        const auto node = static_cast<std::uint32_t>(id - 407);
        say(112, Started{JobId{id}, fits, on({nodes(node, 1, 0x3)})});
    }
    say(112, job_of(405, "lab", 100));
    say(120, LoanEnded{1, LoanEnd::refused});
    say(130, Ended{.job = JobId{407}});
    say(130, Ended{.job = JobId{408}});
    say(130, Started{JobId{405}, fits, on({nodes(0, 1, 0xF)})});
    say(140, lent(2, 4000, 150, 400));
    say(150, Started{JobId{402}, fits, on({nodes(1, 1, 0xF)})});
    say(160, Ended{.job = JobId{405}});
    say(200, LoanEnded{2, LoanEnd::returned});
    say(240, Ended{.job = JobId{402}});
    say(240, Ended{.job = JobId{404}});
    return log;
}

}  // namespace weir::audit
