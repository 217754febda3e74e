// Schedules and reports of small runs whose numbers can be worked out by hand.
#include "weir/sim/report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "weir/base/random.hpp"
#include "weir/sim/line_reader.hpp"
#include "weir/sim/output_file.hpp"
#include "weir/sim/report_charts.hpp"
#include "weir/sim/report_data.hpp"
#include "weir/sim/schedule_file.hpp"
#include "weir/sim/svg.hpp"

namespace weir::sim {
namespace {

using ::testing::AllOf;
using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

struct Replayed {
    Trace trace;
    Simulation result;
};

// Four processors; each job is {submit, start, run, processors}.
struct Job {
    int submit;
    int start;
    int run;
    std::uint32_t chips;
};

Replayed run_of(const std::vector<Job>& jobs) {
    Replayed run;
    run.trace.name = "small <run>";
    run.trace.classic = true;
    run.trace.names = {"group-1", "group-2"};
    run.result.fleet.sites.push_back({.name = "machine"});
    fleet::Pool& pool = run.result.fleet.pools.emplace_back();
    pool.name = "processors";
    pool.site = "machine";
    pool.chip = "processor";
    pool.nodes = 4;
    pool.chips_per_node = 1;
    for (const Job& job : jobs) {
        const auto index = static_cast<std::uint32_t>(run.trace.jobs.size());
        TraceJob logged;
        logged.id = std::to_string(index + 1);
        logged.group = index % 2;
        logged.submitted_at = at_seconds(job.submit);
        logged.run = seconds(job.run);
        logged.chips = job.chips;
        run.trace.jobs.push_back(logged);
        run.result.jobs.push_back({.trace_job = index,
                                   .copy = 0,
                                   .start = at_seconds(job.start),
                                   .end = at_seconds(job.start + job.run),
                                   .nodes = job.chips,
                                   .chips = static_cast<double>(job.chips),
                                   .pool = PoolId{0}});
    }
    run.result.metrics.jobs = jobs.size();
    for (const Job& job : jobs) {
        double& most = run.result.metrics.wait_max_s;
        most = std::max(most, static_cast<double>(job.start - job.submit));
    }
    return run;
}

TEST(ReportData, AveragesWhatIsBusyAndWaitsInEveryBin) {
    const Replayed run = run_of({{0, 0, 100, 4}, {50, 100, 50, 2}, {100, 100, 100, 1}});
    const ReportData data = report_data(run.trace, run.result, 4);  // 200 s: bins of 50 s
    EXPECT_DOUBLE_EQ(data.series.bin_s, 50);
    EXPECT_THAT(
        data.series.busy,
        ElementsAre(
            DoubleNear(4, 1e-9), DoubleNear(4, 1e-9), DoubleNear(3, 1e-9), DoubleNear(1, 1e-9)));
    EXPECT_THAT(data.series.waiting, ElementsAre(0.0, DoubleNear(2, 1e-9), 0.0, 0.0));
    EXPECT_THAT(data.series.waiting_jobs, ElementsAre(0.0, DoubleNear(1, 1e-9), 0.0, 0.0));
    ASSERT_EQ(data.groups.size(), 2U);
    EXPECT_EQ(data.groups[0].name, "group-1");
    EXPECT_EQ(data.groups[0].jobs, 2U);
    EXPECT_DOUBLE_EQ(data.groups[0].chip_hours, 500 / 3600.0);
    EXPECT_DOUBLE_EQ(data.groups[1].slowdown_mean, 2);
    ASSERT_EQ(data.sizes.size(), 3U);
    EXPECT_EQ(data.sizes[2].label, "3\u20134");
    EXPECT_DOUBLE_EQ(data.sizes[1].wait_median_s, 50);
}

RC_GTEST_PROP(ReportData, TheAreaUnderAChartIsTheWorkThatWasDone, ()) {
    Random random(*rc::gen::arbitrary<std::uint64_t>());
    std::vector<Job> jobs;
    double work = 0;
    double waited = 0;
    const auto count = random.between(1, 60);
    for (std::int64_t i = 0; i < count; ++i) {
        Job job{};
        job.submit = static_cast<int>(random.between(0, 5000));
        job.start = job.submit + static_cast<int>(random.between(0, 500));
        job.run = static_cast<int>(random.between(0, 3000));
        job.chips = static_cast<std::uint32_t>(random.between(1, 4));
        work += static_cast<double>(job.run) * job.chips;
        waited += job.start - job.submit;
        jobs.push_back(job);
    }
    const Replayed run = run_of(jobs);
    const ReportData data =
        report_data(run.trace, run.result, static_cast<std::size_t>(random.between(1, 200)));
    double busy_area = 0;
    double waiting_area = 0;
    for (const double value : data.series.busy)
        busy_area += value * data.series.bin_s;
    for (const double value : data.series.waiting_jobs)
        waiting_area += value * data.series.bin_s;
    RC_ASSERT(std::abs(busy_area - work) < 1e-6 * (work + 1));
    RC_ASSERT(std::abs(waiting_area - waited) < 1e-6 * (waited + 1));
    RC_ASSERT(std::is_sorted(data.slowdowns.begin(),
                             data.slowdowns.end(),
                             [](const auto& a, const auto& b) { return a.share < b.share; }));
    RC_ASSERT(data.slowdowns.back().share == 1.0);
}

std::size_t count_of(const std::string& text, std::string_view what) {
    std::size_t count = 0;
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1))
        ++count;
    return count;
}

TEST(Report, StandsAloneNamesThingsSafelyAndIsEqualForEqualRuns) {
    Replayed run = run_of({{0, 0, 100, 4}, {50, 100, 50, 2}, {100, 100, 100, 1}});
    run.result.notes = {"R3: 1 job dropped & <gone>"};
    run.result.metrics.wall_s = 1.5;
    const std::string html = html_report(run.trace, run.result, {"easy", "weir simulate x.swf"});
    EXPECT_THAT(html,
                AllOf(HasSubstr("<h1>small &lt;run&gt;</h1>"),
                      HasSubstr("dropped &amp; &lt;gone&gt;"),
                      HasSubstr("EASY backfill"),
                      HasSubstr("Every job"),
                      HasSubstr("prefers-color-scheme:dark"),
                      HasSubstr("@media print")));
    EXPECT_THAT(html,
                AllOf(Not(HasSubstr("http")), Not(HasSubstr("<script")), Not(HasSubstr("nan"))));
    EXPECT_EQ(count_of(html, "<svg"), count_of(html, "</svg>"));
    EXPECT_EQ(count_of(html, "<section"), count_of(html, "</section>"));
    EXPECT_EQ(count_of(html, "<svg"), count_of(html, "The numbers as a table"));
    run.result.metrics.wall_s = 99;  // how fast it was made is not part of it
    EXPECT_EQ(html, html_report(run.trace, run.result, {"easy", "weir simulate x.swf"}));
}

TEST(Report, OfAHundredThousandJobsIsSmallAndHasNoGanttChart) {
    Random random(1);
    std::vector<Job> jobs;
    for (int i = 0; i < 100'000; ++i) {
        jobs.push_back({i * 10,
                        i * 10 + static_cast<int>(random.between(0, 5000)),
                        static_cast<int>(random.between(1, 9000)),
                        static_cast<std::uint32_t>(random.between(1, 4))});
    }
    const Replayed run = run_of(jobs);
    const std::string html = html_report(run.trace, run.result, {"fcfs", ""});
    EXPECT_LT(html.size(), 500'000U);
    EXPECT_THAT(html, Not(HasSubstr("Every job")));
}

TEST(Report, SaysInWordsWhatWouldBeAnEmptyChart) {
    const Replayed run = run_of({{0, 0, 100, 1}});
    const std::string html = html_report(run.trace, run.result, {"easy", ""});
    EXPECT_THAT(html, AllOf(HasSubstr("No job waited"), HasSubstr("1 for every job")));
}

TEST(Ticks, AreRoundAndCoverTheValues) {
    EXPECT_THAT(round_ticks(0, 100, 4), ElementsAre(0, 25, 50, 75, 100));
    EXPECT_THAT(round_ticks(0, 57, 4), ElementsAre(0, 20, 40, 60));
    EXPECT_EQ(time_label(5400), "90 min");
    EXPECT_EQ(time_label(86400), "1 d");
    EXPECT_EQ(time_label(2500 * 86400.0), "2,500 d");
    const auto dated = timeline_ticks(0, 200 * 86400.0, at_seconds(843480031));
    ASSERT_GE(dated.size(), 3U);
    EXPECT_EQ(dated.front().label, "Oct 1996");
    const auto plain = timeline_ticks(0, 86400, {});
    EXPECT_THAT(plain.back().label, HasSubstr("d"));
}

TEST(ScheduleFile, HasARowForEachJobAndCopyAndIsEqualWhenPacked) {
    std::string pattern = std::filesystem::temp_directory_path() / "weir-schedule-XXXXXX";
    const std::filesystem::path folder = mkdtemp(pattern.data());
    Replayed run = run_of({{5, 7, 100, 4}, {6, 107, 50, 1}});
    run.trace.jobs[1].id = "p,1";
    run.result.jobs[1].chips = 0.125;
    run.result.jobs.push_back(run.result.jobs[1]);
    run.result.jobs[2].copy = 1;
    const std::string path = folder / "out.csv";
    ASSERT_TRUE(write_schedule(path, run.trace, run.result).has_value());
    std::ifstream in(path);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    EXPECT_EQ(text,
              "job_id,submit_s,start_s,end_s,nodes,chips\n"
              "1,5,7,107,4,4\n"
              "\"p,1\",6,107,157,1,0.125\n"
              "\"p,1#1\",6,107,157,1,0.125\n");
    ASSERT_TRUE(write_schedule(path + ".gz", run.trace, run.result).has_value());
    EXPECT_EQ(read_whole_file(path + ".gz", 1 << 20).value(), text);
    EXPECT_FALSE(std::filesystem::exists(path + ".part"));
    std::filesystem::remove_all(folder);
}

TEST(OutputFile, LeavesNothingBehindWhenItIsNotClosed) {
    std::string pattern = std::filesystem::temp_directory_path() / "weir-output-XXXXXX";
    const std::filesystem::path folder = mkdtemp(pattern.data());
    {
        auto file = OutputFile::create(folder / "half.csv").value();
        ASSERT_TRUE(file.write("half").has_value());
    }
    EXPECT_TRUE(std::filesystem::is_empty(folder));
    const auto nowhere = OutputFile::create(folder / "no" / "such.csv");
    ASSERT_FALSE(nowhere.has_value());
    EXPECT_THAT(nowhere.error().message, HasSubstr("such.csv"));
    EXPECT_FALSE(OutputFile::create(folder).has_value());
    std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace weir::sim
