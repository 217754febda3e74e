// What goes into the journal comes out of it, for ever and for any value.
#include "weir/hub/journal.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "weir/base/random.hpp"
#include "weir/hub/documents.hpp"

namespace weir::hub {
namespace {

using testing::HasSubstr;

std::string any_text(Random& random) {
    static const std::vector<std::string> pieces{"a",
                                                 "Z",
                                                 " ",
                                                 "\"",
                                                 "\\",
                                                 "\n",
                                                 "\x01",
                                                 "/",
                                                 "\xe5\xa0\xb0",
                                                 "\xf0\x9f\x9a\x80",
                                                 "0",
                                                 "{}"};
    std::string text;
    for (std::int64_t i = random.between(0, 8); i > 0; --i) {
        text += pieces[static_cast<std::size_t>(
            random.between(0, static_cast<std::int64_t>(pieces.size()) - 1))];
    }
    return text;
}

std::uint32_t any_small(Random& random) {
    return static_cast<std::uint32_t>(random.chance(0.1) ? random.word() : random.word() % 100);
}

Time any_time(Random& random) {
    return Time{Duration{random.between(-1000, std::int64_t{1} << 60)}};
}

sched::Request any_request(Random& random) {
    sched::Request request;
    request.job = JobId{random.word() >> random.between(0, 60)};
    request.priority = static_cast<job::Priority>(random.between(0, 3));
    request.limit = random.chance(0.2) ? forever : Duration{random.between(1, 1'000'000'000)};
    for (std::int64_t i = random.between(1, 3); i > 0; --i) {
        request.demand.parts.push_back({.replicas = any_small(random),
                                        .each = {.chips = any_small(random),
                                                 .chip_permille = any_small(random),
                                                 .cpus_milli = any_small(random),
                                                 .memory = Bytes{random.between(0, 1LL << 60)}}});
    }
    request.demand.within = static_cast<fleet::Level>(random.between(0, 4));
    for (std::int64_t i = random.between(0, 3); i > 0; --i) {
        request.demand.pools.push_back(PoolId{any_small(random)});
    }
    for (std::int64_t i = random.between(0, 3); i > 0; --i) {
        request.after.push_back(
            {JobId{random.word()}, static_cast<sched::Needs>(random.between(0, 2))});
    }
    if (random.chance(0.5)) {
        request.array = request.job;
        request.array_at_once_max = any_small(random);
    }
    const auto sometimes = [&random] { return random.chance(0.3); };
    if (sometimes()) request.tenant = TenantId{any_small(random)};
    if (sometimes()) request.demand.prefer = static_cast<fleet::Level>(random.between(0, 4));
    if (sometimes()) request.demand.tag = any_small(random);
    if (sometimes()) request.expected = Duration{random.between(0, 1'000'000'000)};
    if (sometimes()) request.deadline = any_time(random);
    if (sometimes())
        request.checkpoint = {Duration{any_small(random)}, Duration{any_small(random)}};
    request.replace_failed = sometimes();
    if (sometimes()) request.owner = random.word();
    if (sometimes()) request.likeness = random.word();
    if (sometimes()) request.data = {any_text(random), any_text(random)};
    if (sometimes()) request.predicted = Duration{random.between(0, 1'000'000'000)};
    if (sometimes()) {
        for (std::int64_t i = random.between(1, 3); i > 0; --i) {
            sched::Size& size = request.sizes.emplace_back();
            size.demand = request.demand;  // with what all have in common
            size.demand.parts.front().replicas = any_small(random);
            size.demand.pools = {PoolId{any_small(random)}};
            size.limit = Duration{any_small(random)};
            size.takes = Duration{any_small(random)};
        }
    }
    return request;
}

fleet::Placement any_placement(Random& random) {
    fleet::Placement placement;
    for (std::int64_t i = random.between(0, 3); i > 0; --i) {
        placement.ranges.push_back({.pool = PoolId{any_small(random)},
                                    .first = any_small(random),
                                    .count = any_small(random),
                                    .replicas = any_small(random),
                                    .part = any_small(random),
                                    .chip_mask = random.word()});
    }
    return placement;
}

fleet::Fleet any_fleet(Random& random) {
    fleet::Fleet fleet;
    for (std::int64_t i = random.between(0, 2); i > 0; --i) {
        fleet.sites.push_back({any_text(random), any_text(random), random.unit() * 1e7});
        if (random.chance(0.5)) {
            fleet.sites.back().price["h200"] = {
                {random.between(0, 1'000'000'000), {{'E', 'U', 'R'}}}};
        }
        if (random.chance(0.5)) {
            fleet.sites.back().storage = {random.unit() * 1e12,
                                          Bytes{random.between(0, 1LL << 60)},
                                          {{any_text(random), Bytes{any_small(random)}}},
                                          any_text(random)};
        }
    }
    if (random.chance(0.3)) {
        fleet.links.push_back({.between = {any_text(random), any_text(random)},
                               .bytes_per_s = random.unit() * 1e12,
                               .latency = Duration{random.between(0, 1000)}});
    }
    for (std::int64_t i = random.between(0, 3); i > 0; --i) {
        fleet::Pool pool;
        pool.name = any_text(random);
        pool.site = any_text(random);
        pool.chip = any_text(random);
        pool.nodes = any_small(random);
        pool.chips_per_node = any_small(random);
        pool.cpus_milli = any_small(random);
        pool.memory = Bytes{random.between(0, 1LL << 60)};
        pool.nodes_per_rack = any_small(random);
        pool.racks_per_pod = any_small(random);
        pool.rack_power_watts = random.unit() * 1e5;
        pool.node_idle_watts = random.unit() * 1e4;
        pool.node_busy_watts = random.unit() * 1e4;
        if (random.chance(0.5)) pool.pod_power_watts = random.unit() * 1e6;
        if (random.chance(0.5)) pool.node_mtbf = Duration{random.between(0, 1LL << 50)};
        if (random.chance(0.5)) pool.node_repair = Duration{random.between(0, 1LL << 50)};
        if (random.chance(0.5)) pool.node_names = {any_text(random), any_text(random)};
        fleet.pools.push_back(std::move(pool));
    }
    return fleet;
}

exec::AttemptEnd any_end(Random& random) {
    exec::AttemptEnd end;
    end.attempt = {JobId{random.word()}, any_small(random)};
    end.kind = static_cast<exec::EndKind>(random.between(0, 5));
    end.exit_code = static_cast<int>(random.between(-1, 255));
    end.signal = static_cast<int>(random.between(0, 64));
    end.rank = any_small(random);
    end.detail = any_text(random);
    end.started_at = any_time(random);
    end.ended_at = any_time(random);
    end.max_rss = Bytes{random.between(0, 1LL << 50)};
    end.cpu = Duration{random.between(0, 1LL << 50)};
    end.output_cut = random.chance(0.5);
    return end;
}

sched::Policy any_policy(Random& random) {
    sched::Policy policy = random.chance(0.5) ? sched::Policy::weir : sched::Policy::easy;
    if (random.chance(0.5)) policy.reservations_max = any_small(random);
    if (random.chance(0.5)) policy.min_run = Duration{random.between(0, 1LL << 40)};
    return policy;
}

tenancy::OrganisationsFile any_tenants(Random& random) {
    if (random.chance(0.3)) return {};
    std::string text = "tenants:\n";
    for (std::int64_t i = random.between(1, 4); i > 0; --i) {
        text += "  - {name: t" + std::to_string(i) +
                ", quota: {h200: " + std::to_string(random.between(0, 1000)) +
                ", bf16: 1 PFLOP/s}, budget: {amount: " + std::to_string(random.between(1, 1000)) +
                " CNY, period: week}}\n";
    }
    return tenancy::read_organisations_text(text, "any")->file;
}

sched::PowerDomain any_domain(Random& random) {
    return {static_cast<fleet::Level>(random.between(0, 4)),
            PoolId{any_small(random)},
            any_small(random)};
}

sched::Advance any_advance(Random& random) {
    sched::Advance advance{.id = AdvanceId{any_small(random)},
                           .from = any_time(random),
                           .until = random.chance(0.3) ? never : any_time(random),
                           .maintenance = random.chance(0.5),
                           .nodes = {}};
    for (std::int64_t i = random.between(0, 3); i > 0; --i)
        advance.nodes.push_back({PoolId{any_small(random)}, any_small(random), any_small(random)});
    return advance;
}

journal::Step any_step(Random& random) {
    journal::Step step;
    step.digest = random.word();
    step.anew = random.chance(0.3);
    constexpr sched::Cause starts[] = {sched::Cause::fits_now,
                                       sched::Cause::backfilled,
                                       sched::Cause::backfilled_beside,
                                       sched::Cause::promised};
    for (std::int64_t i = random.between(0, 3); i > 0; --i) {
        step.starts.push_back({.attempt = {JobId{random.word()}, any_small(random)},
                               .cause = starts[random.between(0, 3)],
                               .placement = any_placement(random)});
        if (random.chance(0.5)) {
            step.starts.back().size = any_small(random);
            step.starts.back().why_size = any_text(random);
        }
        step.drops.push_back(
            {JobId{random.word()},
             JobId{random.word()},
             random.chance(0.5) ? sched::Cause::dependency_failed : sched::Cause::deadline});
    }
    for (std::int64_t i = random.between(0, 3); i > 0; --i) {
        step.reserved.push_back({JobId{random.word()}, any_time(random), any_placement(random)});
        if (random.chance(0.5)) step.reserved.back().size = any_small(random);
        step.preempted.push_back(
            {JobId{random.word()},
             random.chance(0.3) ? JobId::none() : JobId{random.word()},
             random.chance(0.5) ? sched::Cause::preempted : sched::Cause::over_power});
        step.replaced.push_back({JobId{random.word()}, any_placement(random)});
        step.over_power.push_back({any_domain(random), random.unit() * 1e6});
        step.forgotten.push_back({any_text(random), any_text(random)});
        step.staged.push_back({any_text(random),
                               any_text(random),
                               any_text(random),
                               any_time(random),
                               any_time(random)});
    }
    return step;
}

journal::Record any_record(Random& random) {
    switch (random.between(0, 16)) {
        case 0: {
            const tenancy::OrganisationsFile tenants = any_tenants(random);
            return journal::FleetSet{any_fleet(random),
                                     any_policy(random),
                                     tenants,
                                     tenants.organisations.empty()
                                         ? journal::Rates{}
                                         : journal::Rates{{{"h200", "bf16"}, random.unit() * 1e15}},
                                     tenants.organisations.empty()
                                         ? journal::Domestic{}
                                         : journal::Domestic{any_text(random), "h200"},
                                     random.chance(0.5) ? journal::oldest_format : journal::format};
        }
        case 1:
            return journal::SpecGiven{any_text(random)};
        case 2: {
            journal::Submitted record{any_request(random),
                                      any_small(random),
                                      {},
                                      any_text(random),
                                      any_text(random),
                                      any_text(random)};
            if (random.chance(0.5)) record.indices = {any_small(random), any_small(random)};
            return record;
        }
        case 3:
            return journal::Carried{any_request(random), any_placement(random)};
        case 4:
            return journal::Ended{any_end(random),
                                  static_cast<sched::Outcome>(random.between(0, 3)),
                                  random.chance(0.5),
                                  static_cast<JobState>(random.between(0, 8)),
                                  any_text(random),
                                  {{any_text(random),
                                    any_text(random),
                                    any_text(random),
                                    random.chance(0.5) ? forever : Duration{any_small(random)}}}};
        case 5:
            return journal::Cancelled{JobId{random.word()}, any_text(random)};
        case 6:
            return journal::StopAsked{JobId{random.word()}};
        case 7:
            return journal::AdvanceMade{any_text(random), any_text(random), any_advance(random)};
        case 8:
            return journal::AdvanceEnded{AdvanceId{any_small(random)}};
        case 9:
            return journal::NodeChanged{PoolId{any_small(random)},
                                        any_small(random),
                                        static_cast<sched::NodeHealth>(random.between(0, 2)),
                                        any_text(random)};
        case 10:
            return journal::PowerCapSet{any_domain(random), random.unit() * 1e6};
        case 11:
            return journal::Checkpointed{JobId{random.word()}};
        case 12:
            return journal::PromiseCarried{JobId{random.word()},
                                           any_time(random),
                                           random.chance(0.3) ? never : any_time(random),
                                           any_placement(random),
                                           any_text(random),
                                           any_small(random)};
        case 13: {
            LoanTerms terms{.name = any_text(random),
                            .lender = any_text(random),
                            .borrower = any_text(random),
                            .amounts = {{{tenancy::Resource::Kind::chips, any_text(random)},
                                         any_small(random)}},
                            .window = {any_time(random), any_time(random)},
                            .notice = seconds(any_small(random)),
                            .price = *parse_price("5 CNY/chip-hour"),
                            .early_recall = *parse_money("20 CNY"),
                            .penalty = *parse_money("0 CNY")};
            return journal::LoanOffered{std::move(terms)};
        }
        case 14:
            return journal::LoanMoved{any_text(random),
                                      static_cast<tenancy::LoanEvent>(random.between(0, 7)),
                                      any_text(random)};
        case 15:
            return journal::DatasetChanged{
                static_cast<journal::DatasetChanged::Fate>(random.between(0, 2)),
                any_text(random),
                any_text(random),
                Bytes{random.between(0, 1LL << 60)},
                random.chance(0.5) ? JobId::none() : JobId{random.word()},
                random.chance(0.5) ? never : any_time(random),
                random.chance(0.5)};
        default:
            return any_step(random);
    }
}

TEST(Journal, GivesBackEveryRecordAsItWasWritten) {
    for (std::uint64_t seed = 1; seed <= 5000; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Random random(seed);
        const journal::Record record = any_record(random);
        const store::Entry entry = journal::encode(record, any_time(random));
        const auto decoded = journal::decode(entry);
        ASSERT_TRUE(decoded) << decoded.error().message;
        ASSERT_EQ(decoded->index(), record.index()) << entry.kind;
        // Equal when it is written again: every field is in the text.
        const store::Entry again = journal::encode(*decoded, entry.at);
        ASSERT_EQ(again.kind, entry.kind);
        ASSERT_EQ(again.body, entry.body);
        if (const auto* submitted = std::get_if<journal::Submitted>(&record)) {
            ASSERT_EQ(std::get<journal::Submitted>(*decoded).request, submitted->request);
        }
        if (const auto* fleet = std::get_if<journal::FleetSet>(&record)) {
            const auto& read = std::get<journal::FleetSet>(*decoded);
            ASSERT_EQ(read.fleet, fleet->fleet);
            ASSERT_EQ(read.policy, fleet->policy);
            ASSERT_EQ(read.tenants, fleet->tenants);
            ASSERT_EQ(read.rates, fleet->rates);
            ASSERT_EQ(read.domestic, fleet->domestic);
            ASSERT_EQ(read.written_as, fleet->written_as);
        }
        if (const auto* made = std::get_if<journal::AdvanceMade>(&record)) {
            ASSERT_EQ(std::get<journal::AdvanceMade>(*decoded).advance, made->advance);
        }
        if (const auto* dataset = std::get_if<journal::DatasetChanged>(&record)) {
            ASSERT_EQ(std::get<journal::DatasetChanged>(*decoded), *dataset);
        }
        if (const auto* ended = std::get_if<journal::Ended>(&record)) {
            ASSERT_EQ(std::get<journal::Ended>(*decoded).outputs, ended->outputs);
        }
        if (const auto* cap = std::get_if<journal::PowerCapSet>(&record)) {
            ASSERT_EQ(std::get<journal::PowerCapSet>(*decoded).domain, cap->domain);
        }
        if (const auto* step = std::get_if<journal::Step>(&record)) {
            const auto& read = std::get<journal::Step>(*decoded);
            ASSERT_EQ(read.starts, step->starts);
            ASSERT_EQ(read.drops, step->drops);
            ASSERT_EQ(read.reserved, step->reserved);
            ASSERT_EQ(read.preempted, step->preempted);
            ASSERT_EQ(read.replaced, step->replaced);
            ASSERT_EQ(read.over_power, step->over_power);
            ASSERT_EQ(read.forgotten, step->forgotten);
            ASSERT_EQ(read.staged, step->staged);
            ASSERT_EQ(read.anew, step->anew);
            ASSERT_EQ(read.digest, step->digest);
        }
    }
}

TEST(Journal, ReportsADamagedEntryByItsNumberAndNeverThrows) {
    Random random(7);
    int refused = 0;
    for (int i = 0; i < 3000; ++i) {
        store::Entry entry = journal::encode(any_record(random), Time{});
        if (entry.kind == "spec") continue;
        entry.sequence = 42;
        const auto at = static_cast<std::size_t>(
            random.between(0, static_cast<std::int64_t>(entry.body.size()) - 1));
        if (random.chance(0.5)) {
            entry.body.resize(at);
        } else {
            entry.body[at] = static_cast<char>(random.word());
        }
        const auto decoded = journal::decode(entry);
        if (decoded) continue;  // a changed digit is still a number
        ++refused;
        EXPECT_THAT(decoded.error().message, HasSubstr("journal entry 42"));
    }
    EXPECT_GT(refused, 1000);
    EXPECT_THAT(journal::decode({1, Time{}, "weather", "{}"}).error().message,
                HasSubstr("\"weather\""));
}

TEST(Journal, RefusesAFormatThatItDoesNotKnowInOneSentence) {
    store::Entry entry =
        journal::encode(journal::FleetSet{fleet::Fleet{}, sched::Policy::easy, {}, {}}, Time{});
    entry.sequence = 1;
    for (const auto& [written, told] : std::vector<std::pair<std::string, std::string>>{
             {"\"format\":9", "is of format 9 and this weir knows formats 2 to 8"},
             {"\"was\":1", "is of format 1 and this weir knows formats 2 to 8"}}) {
        store::Entry other = entry;
        const std::string ours = "\"format\":8";
        other.body.replace(other.body.find(ours), ours.size(), written);
        const auto decoded = journal::decode(other);
        ASSERT_FALSE(decoded);
        EXPECT_THAT(decoded.error().message, HasSubstr(told));
    }
}

TEST(Journal, ReadsWhatFormat2Wrote) {
    const auto request = journal::decode(
        {1,
         Time{},
         "submitted",
         R"({"job":7,"priority":"high","limit_ms":1000,"parts":[[2,4,0,1000,0]],"within":"rack",)"
         R"("pools":[0],"count":1,"name":"a","tenant":"t","user":"u"})"});
    ASSERT_TRUE(request) << request.error().message;
    const auto& read = std::get<journal::Submitted>(*request).request;
    EXPECT_EQ(read.deadline, never);
    EXPECT_EQ(read.demand.prefer, fleet::Level::site);
    EXPECT_EQ(read.checkpoint, sched::Checkpointing{});

    const auto step = journal::decode(
        {2, Time{}, "step", R"({"digest":"ab","drops":[[3,2]],"reserved":[5,60000]})"});
    ASSERT_TRUE(step) << step.error().message;
    const auto& pass = std::get<journal::Step>(*step);
    EXPECT_EQ(pass.reserved,
              (std::vector<journal::Reserved>{{JobId{5}, at_seconds(60), fleet::Placement{}}}));
    EXPECT_EQ(pass.drops.at(0).cause, sched::Cause::dependency_failed);
}

TEST(Documents, GiveBackAJobAsItWas) {
    JobView view;
    view.job = JobId{12};
    view.id = "12_3";
    view.array_index = 3;
    view.state = JobState::time_limit;
    view.reason = "its time limit was reached: \"quoted\"";
    view.spec.name = "wing";
    view.spec.tenant = "university/aero";
    view.spec.script = "./run\n";
    view.spec.after = {"mesh"};
    view.spec.limit = seconds(60);
    view.user = "ada";
    view.submitted_at = at_seconds(1);
    view.started_at = at_seconds(2);
    view.ended_at = at_seconds(3);
    view.limit = seconds(60);
    view.nodes = {"n0", "n1"};
    Random random(3);
    exec::AttemptEnd end = any_end(random);
    end.attempt = {JobId{12}, 2};
    view.attempts = {{.number = 1,
                      .started_at = at_seconds(2),
                      .cause = "backfilled",
                      .stopped_for = {},
                      .end = {},
                      .tasks = {}},
                     {.number = 2,
                      .started_at = at_seconds(2),
                      .cause = "in_order",
                      .stopped_for = "stopped for job 9 (flood)",
                      .end = end,
                      .tasks = {{0, "n0", "/o", "/e"}, {1, "n1", "/o1", "/e1"}}}};
    const store::Document document = document_of(view);
    EXPECT_EQ(document.id, "12");
    EXPECT_EQ(document.tag, "time_limit");
    const auto read = job_view_of(document);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(document_of(*read).body, document.body);
    EXPECT_EQ(read->spec, view.spec);
    EXPECT_EQ(read->attempts.at(1).end->attempt, end.attempt);
    EXPECT_EQ(read->attempts.at(1).tasks.at(1).stderr_path, "/e1");
    EXPECT_EQ(read->array_index, 3U);
    EXPECT_EQ(read->attempts.at(1).stopped_for, "stopped for job 9 (flood)");

    store::Document damaged = document;
    damaged.body.resize(damaged.body.size() / 2);
    EXPECT_THAT(job_view_of(damaged).error().message, HasSubstr("document job/12"));
}

}  // namespace
}  // namespace weir::hub
