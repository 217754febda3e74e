#include "weir/cli/experiment.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "weir/base/text_table.hpp"
#include "weir/cli/simulate.hpp"
#include "weir/cli/simulate_table.hpp"

namespace weir::cli {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::vector<std::string> names_of(const std::vector<ExperimentRun>& runs) {
    std::vector<std::string> names;
    for (const ExperimentRun& run : runs)
        names.push_back(run.name);
    return names;
}

std::string refusal(const std::string& policies, const std::vector<std::string>& vary) {
    const auto runs = runs_of(policies, vary);
    return runs ? "" : runs.error().message;
}

TEST(Experiment, IsEveryCombinationOfPoliciesAndValues) {
    EXPECT_THAT(names_of(runs_of("weir reservations=16", {}).value()),
                ElementsAre("weir reservations=16"));
    EXPECT_THAT(names_of(runs_of("easy, weir", {"load=0.8,1.2x", "reservations=1,4"}).value()),
                ElementsAre("easy load=0.8 reservations=1",
                            "easy load=0.8 reservations=4",
                            "easy load=1.2x reservations=1",
                            "easy load=1.2x reservations=4",
                            "weir load=0.8 reservations=1",
                            "weir load=0.8 reservations=4",
                            "weir load=1.2x reservations=1",
                            "weir load=1.2x reservations=4"));
    const auto runs = runs_of("weir", {"reservations=1,4", "seed=7"}).value();
    EXPECT_THAT(names_of(runs), ElementsAre("reservations=1 seed=7", "reservations=4 seed=7"));
    EXPECT_EQ(runs[1].policy.reservations_max, 4U);
    EXPECT_EQ(seed_of(runs[1]), 7U);
    EXPECT_FALSE(changes_trace(runs[1]));
}

TEST(Experiment, RefusesWithOneSentenceThatNamesTheNearestKey) {
    EXPECT_THAT(refusal("weir", {"rack_powr=15kW"}),
                AllOf(HasSubstr("did you mean 'rack_power'?"),
                      HasSubstr("reservations, "),
                      HasSubstr(", load, seed")));
    EXPECT_THAT(refusal("weir", {"rack_power=15"}), HasSubstr("'15' is not valid; write a power"));
    EXPECT_THAT(refusal("weir", {"load=0.5,,1"}), HasSubstr("empty place"));
    EXPECT_THAT(refusal("weir", {"load=0.5,0.5"}), HasSubstr("'0.5' twice"));
    EXPECT_THAT(refusal("weir", {"load=0.5", "load=1"}), HasSubstr("given twice"));
    EXPECT_THAT(refusal("weir", {"reservations=x"}), HasSubstr("a whole number from 0 on"));
    EXPECT_THAT(refusal("weir", {"nodes"}), HasSubstr("write nodes=A,B"));
    EXPECT_THAT(refusal("easy,slurm", {}), HasSubstr("valid: fcfs, easy, conservative, weir"));
    EXPECT_THAT(refusal("easy,weir", {"seed=1,2,3,4,5,6,7,8,9", "nodes=1x,2x,3x,4x"}),
                HasSubstr("2 policies x 9 of seed x 4 of nodes make 72 runs; at most 64"));
}

// Ten jobs of 100 s on one chip each, 100 s apart, on two chips.
sim::Trace small_trace() {
    sim::Trace trace;
    trace.name = "small";
    trace.fleet.sites.push_back({.name = "here", .power_watts = 4000});
    fleet::Pool& pool = trace.fleet.pools.emplace_back();
    pool.name = "pool";
    pool.site = "here";
    pool.chip = "chip";
    pool.nodes = 2;
    pool.chips_per_node = 1;
    pool.node_idle_watts = 100;
    pool.node_busy_watts = 500;
    pool.node_names = {"a", "b"};
    for (int i = 0; i < 10; ++i) {
        sim::TraceJob job;
        job.id = std::to_string(i);
        job.submitted_at = at_seconds(1000 + 100 * i);
        job.run = seconds(100);
        job.chips = 1;
        trace.jobs.push_back(job);
    }
    return trace;
}

TEST(Experiment, MaySayForEachRunWhetherSitesAreCentresOfTheirOwn) {
    const auto runs = runs_of("weir", {"each_site=yes,no"}).value();
    ASSERT_EQ(runs.size(), 2U);
    EXPECT_EQ(runs[0].name, "each_site=yes");
    EXPECT_EQ(each_site_of(runs[0]), true);
    EXPECT_EQ(each_site_of(runs[1]), false);
    EXPECT_FALSE(changes_trace(runs[0]));
    EXPECT_EQ(each_site_of(runs_of("weir", {}).value()[0]), std::nullopt);
    EXPECT_THAT(refusal("weir", {"each_site=maybe"}), HasSubstr("'maybe' is not valid; write yes"));
}

// A small log and what is written beside it.
class FleetFiles : public testing::Test {
protected:
    void SetUp() override {
        write("log.swf",
              "1 0 -1 100 2 -1 -1 2 100 -1 1 1 1 -1 -1 -1 -1 -1\n"
              "2 0 -1 100 2 -1 -1 2 100 -1 1 1 1 -1 -1 -1 -1 -1\n");
        write("small.yaml", fleet_of("nodes: 2"));
        write("large.yaml", fleet_of("nodes: 4"));
        write("bad.yaml", fleet_of("nods: 4"));
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }

    static std::string fleet_of(const std::string& nodes) {
        return "sites:\n  - {name: here, pools: [{name: x, chip: h20, " + nodes +
               ", chips_per_node: 1}]}\n";
    }
    void write(const std::string& name, const std::string& text) const {
        std::ofstream(folder_ / name) << text;
    }
    [[nodiscard]] std::string path(const std::string& name) const { return folder_ / name; }
    // What it prints, on standard output and error.
    [[nodiscard]] std::string simulated(const std::string& fleets) const {
        SimulateOptions options;
        options.trace = path("log.swf");
        options.vary = {"fleet=" + fleets};
        options.quiet = true;
        testing::internal::CaptureStdout();
        testing::internal::CaptureStderr();
        simulate(options);
        const std::string out = testing::internal::GetCapturedStdout();
        return out + testing::internal::GetCapturedStderr();
    }

private:
    static std::filesystem::path made() {
        std::string pattern = std::filesystem::temp_directory_path() / "weir-fleets-XXXXXX";
        return mkdtemp(pattern.data());
    }
    std::filesystem::path folder_ = made();
};

TEST_F(FleetFiles, AreComparedSideBySide) {
    const std::string table = simulated(path("small.yaml") + "," + path("large.yaml"));
    // Two jobs of two processors for 100 s: one after the other, or at once.
    EXPECT_THAT(table, AllOf(HasSubstr("50.0 s "), HasSubstr(" 0.0 s *")));
}

TEST_F(FleetFiles, ThatAreBadAreSaidOnceAndBeforeAnyRun) {
    const std::string error = simulated(path("small.yaml") + "," + path("bad.yaml"));
    EXPECT_THAT(error,
                AllOf(HasSubstr("--vary fleet: " + path("bad.yaml") + ":2:"),
                      HasSubstr("did you mean 'nodes'?"),
                      Not(HasSubstr("makespan"))));
    const std::string gone = simulated(path("small.yaml") + "," + path("gone.yaml"));
    EXPECT_THAT(gone, HasSubstr("--vary fleet: " + path("gone.yaml") + ": cannot be opened"));
    EXPECT_EQ(gone.find("gone.yaml"), gone.rfind("gone.yaml"));
}

TEST(Experiment, SaysWhichKeysOfPreemptionMeanNothingWhereAllJobsAreOfOneClass) {
    sim::Trace trace = small_trace();
    const auto runs = runs_of("easy,weir preempt=no", {"min_run=1m,1h"}).value();
    EXPECT_THAT(idle_keys(runs, trace),
                ElementsAre(HasSubstr("preempt changes nothing: all jobs of this log have the same "
                                      "priority"),
                            HasSubstr("min_run changes nothing")));
    EXPECT_THAT(idle_keys(runs_of("easy,weir", {"seed=1"}).value(), trace), ElementsAre());
    trace.jobs[3].priority = job::Priority::high;
    EXPECT_THAT(idle_keys(runs, trace), ElementsAre());
}

TEST(Experiment, ChangesFleetAndLoadAsTheRunSays) {
    const auto changed = [](const std::string& vary) {
        sim::Trace trace = small_trace();
        std::optional<Time> from = at_seconds(1000);
        std::optional<Time> until;
        const auto done = apply(runs_of("weir", {vary}).value().at(0), trace, from, until);
        EXPECT_TRUE(done.has_value()) << vary;
        return trace;
    };
    // 1000 chip-seconds on 2 chips in 900 s: a load of 0.5556, so half of it takes twice as long.
    EXPECT_EQ(changed("load=0.5x").jobs.back().submitted_at, at_seconds(1000 + 1800));
    EXPECT_EQ(changed("load=1").jobs.back().submitted_at, at_seconds(1000 + 500));
    EXPECT_EQ(changed("load=1").jobs.front().submitted_at, at_seconds(1000));
    EXPECT_EQ(changed("nodes=7").fleet.pools[0].nodes, 7U);
    EXPECT_EQ(changed("nodes=0.1x").fleet.pools[0].nodes, 1U);
    EXPECT_EQ(changed("nodes=1x").fleet, small_trace().fleet);
    EXPECT_TRUE(changed("nodes=2x").fleet.pools[0].node_names.empty());
    EXPECT_EQ(changed("rack_power=15kW").fleet.pools[0].rack_power_watts, 15'000);
    EXPECT_EQ(changed("site_power=0.5x").fleet.sites[0].power_watts, 2000);
    EXPECT_EQ(changed("site_power=none").fleet.sites[0].power_watts, 0);
}

TEST(Experiment, SaysWhatTheFleetCannotAnswer) {
    const auto refused = [](const std::string& vary, const sim::Trace& on) {
        sim::Trace trace = on;
        std::optional<Time> none;
        std::optional<Time> until;
        const auto done = apply(runs_of("weir", {vary}).value().at(0), trace, none, until);
        return done ? "" : done.error().message;
    };
    sim::Trace silent = small_trace();
    silent.fleet.pools[0].node_busy_watts = 0;
    EXPECT_THAT(refused("rack_power=1kW", silent), HasSubstr("node_power"));
    EXPECT_THAT(refused("rack_power=0.5x", small_trace()), HasSubstr("has no such cap"));
    sim::Trace two = small_trace();
    two.fleet.pools.push_back(two.fleet.pools[0]);
    EXPECT_THAT(refused("nodes=4", two), HasSubstr("of which of 2 pools"));
    sim::Trace one = small_trace();
    one.jobs.resize(1);
    EXPECT_THAT(refused("load=1", one), HasSubstr("no time between"));
    EXPECT_THAT(refused("load=0.0000000000000001x", small_trace()),
                HasSubstr("1e-16x stretches the log beyond"));
}

TEST(Experiment, CountsProcessorsOfALogAsCpusWhereTheFleetHasNoChips) {
    sim::Trace trace = small_trace();
    trace.classic = true;
    fleet::Pool& pool = trace.fleet.pools.at(0);
    pool.chip.clear();
    pool.chips_per_node = 0;
    pool.cpus_milli = 1000;
    std::optional<Time> from;
    std::optional<Time> until;
    ASSERT_TRUE(apply(runs_of("weir", {"load=1"}).value().at(0), trace, from, until).has_value());
    EXPECT_EQ(trace.jobs.back().submitted_at, at_seconds(1000 + 500));
}

std::vector<sim::RunSummary> three_runs() {
    std::vector<sim::RunSummary> runs(3);
    for (std::size_t i = 0; i < runs.size(); ++i) {
        runs[i].name = i == 0 ? "fcfs" : i == 1 ? "easy" : "weir";
        runs[i].metrics.jobs = 28'476;
        runs[i].metrics.wait_mean_s = 353'776.0 / static_cast<double>(i + 1);
        runs[i].metrics.utilisation = 0.5 + 0.1 * static_cast<double>(i % 2);
    }
    return runs;
}

TEST(ComparisonTable, MarksTheBestAndFitsTheTerminal) {
    std::vector<sim::RunSummary> runs = three_runs();
    const std::string table = comparison_table(runs, 80);
    EXPECT_THAT(table,
                AllOf(HasSubstr("117,925 s *  -66.7 %"),
                      HasSubstr("176,888 s    -50.0 %"),
                      HasSubstr("60.00 % *  +20.0 %"),
                      Not(HasSubstr("353,776 s *")),
                      Not(HasSubstr("promises"))));
    // More than fit become rows.
    for (int i = 0; i < 9; ++i)
        runs.push_back(runs[1]);
    const std::string rows = comparison_table(runs, 80);
    EXPECT_THAT(rows, HasSubstr("\nweir"));
    for (const std::string& text : {table, rows}) {
        for (std::size_t at = 0; at < text.size();) {
            const std::size_t end = text.find('\n', at);
            EXPECT_LE(display_width(text.substr(at, end - at)), 80U) << text;
            at = end + 1;
        }
    }
}

TEST(ComparisonTable, MarksNoRunThatLeftOutMoreJobsThanAnother) {
    std::vector<sim::RunSummary> runs = three_runs();
    runs[2].metrics.jobs_skipped = 5;
    EXPECT_THAT(comparison_table(runs, 120),
                AllOf(HasSubstr("easy (0 left out)"),
                      HasSubstr("weir (5 left out)"),
                      HasSubstr("176,888 s *"),
                      Not(HasSubstr("117,925 s *"))));
    EXPECT_THAT(sim::notes_of(runs), testing::ElementsAre(HasSubstr("left out different jobs")));
}

TEST(ComparisonNotes, NameAKeyThatChangesNoDecisionOfAPolicy) {
    std::vector<sim::RunSummary> runs(4);
    for (std::size_t i = 0; i < runs.size(); ++i) {
        runs[i].policy = i < 2 ? "fcfs" : "easy";
        runs[i].varied = {{"reservations", i % 2 == 0 ? "1" : "4"}};
        runs[i].metrics.digest = i < 2 ? 7 : i;
    }
    EXPECT_THAT(sim::notes_of(runs),
                testing::ElementsAre("policy fcfs: reservations makes no difference here: equal "
                                     "decisions"));
}

}  // namespace
}  // namespace weir::cli
