// Small logs written by hand: what is read, what is cleaned, and what every error says.
#include "weir/sim/trace.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "weir/base/random.hpp"
#include "weir/sim/csv.hpp"
#include "weir/sim/gpu_csv.hpp"
#include "weir/sim/line_reader.hpp"
#include "weir/sim/output_file.hpp"
#include "weir/sim/sidecar.hpp"
#include "weir/sim/swf.hpp"
#include "weir/sim/text_number.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace weir::sim {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A folder of its own for each test, gone afterwards.
class Folder {
public:
    Folder() {
        std::string pattern = std::filesystem::temp_directory_path() / "weir-trace-XXXXXX";
        path_ = mkdtemp(pattern.data());
    }
    ~Folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    std::string file(const std::string& name, std::string_view content) const {
        const std::string path = path_ / name;
        std::ofstream(path, std::ios::binary) << content;
        return path;
    }
    std::string path(const std::string& name) const { return path_ / name; }

private:
    std::filesystem::path path_;
};

std::string bytes_of(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

// What gzip makes of a text, by way of the writer.
std::string packed(const Folder& folder, std::string_view text) {
    const std::string path = folder.path("packed.gz");
    EXPECT_TRUE(write_file(path, text).has_value());
    return bytes_of(path);
}

Result<Trace> swf(const std::string& text) {
    LineReader reader = LineReader::over("log.swf", text);
    return read_swf(reader, "log", {});
}

Result<Trace> csv(const std::string& text) {
    LineReader reader = LineReader::over("log.csv", text);
    return read_gpu_csv(reader, "log", {});
}

template <class T>
std::string error_of(const Result<T>& result) {
    return result.has_value() ? std::string("no error") : result.error().message;
}

TraceOptions variant(std::string name) {
    TraceOptions options;
    options.variant = std::move(name);
    return options;
}

// A job line from the six numbers that matter.
std::string line(int job, int submit, int run, int used, int requested, int limit) {
    return fmt::format("{} {} -1 {} {} -1 -1 {} {} -1 1 7 3 -1 -1 -1 -1 -1\n",
                       job,
                       submit,
                       run,
                       used,
                       requested,
                       limit);
}

const std::string head = "; MaxProcs: 8\n";

std::vector<std::string> ids(const Trace& trace) {
    std::vector<std::string> all;
    for (const TraceJob& job : trace.jobs)
        all.push_back(job.id);
    return all;
}

TEST(Swf, ReadsTheMachineTheClockAndAJobFromALog) {
    const auto trace =
        swf(";Computer: test\n; MaxProcs: 8 (all alike)\n;UnixStartTime: 843480031\n\n" +
            line(1, 5, 100, 4, 4, 200));
    ASSERT_TRUE(trace.has_value()) << error_of(trace);
    EXPECT_TRUE(trace->classic);
    EXPECT_EQ(trace->zero_utc, at_seconds(843480031));
    ASSERT_EQ(trace->fleet.pools.size(), 1U);
    EXPECT_EQ(trace->fleet.pools[0].name, "processors");
    EXPECT_EQ(trace->fleet.pools[0].nodes, 8U);
    EXPECT_EQ(trace->fleet.pools[0].chips_per_node, 1U);
    ASSERT_EQ(trace->jobs.size(), 1U);
    const TraceJob& job = trace->jobs[0];
    EXPECT_EQ(job.id, "1");
    EXPECT_EQ(job.submitted_at, at_seconds(5));
    EXPECT_EQ(job.run, seconds(100));
    EXPECT_EQ(job.limit, seconds(200));
    EXPECT_EQ(job.chips, 4U);
    EXPECT_EQ(trace->names.at(job.user), "user-7");
    EXPECT_EQ(trace->names.at(job.group), "group-3");
    EXPECT_TRUE(trace->notes.empty());
}

TEST(Swf, CleansByRulesR1ToR5AndCountsEachOfThem) {
    const auto trace = swf(head + line(1, 0, 10, 9, 4, 20)  // R1: used
                           + line(2, 0, 10, 4, 9, 20)       // R1: requested
                           + line(3, 0, 10, -1, 0, 20)      // R2: dropped
                           + line(4, 0, 10, 3, -1, 20)      // R2: takes the used ones
                           + line(5, 0, 10, -1, 5, 20)      // R2: has the requested ones
                           + line(6, 0, 0, 4, 4, 20)        // R3
                           + line(7, 0, 10, 4, 4, -1)       // R4
                           + line(8, -5, 10, 4, 4, 20)      // before the zero
                           + line(9, 0, 30, 2, 4, 20)       // R5, and requested counts
                           + line(10, 0, 20, 4, 4, 20));
    ASSERT_TRUE(trace.has_value()) << error_of(trace);
    EXPECT_THAT(ids(*trace), ElementsAre("4", "5", "9", "10"));
    EXPECT_EQ(trace->jobs[0].chips, 3U);
    EXPECT_EQ(trace->jobs[1].chips, 5U);
    EXPECT_EQ(trace->jobs[2].chips, 4U);
    EXPECT_EQ(trace->jobs[2].run, seconds(20));
    EXPECT_THAT(trace->notes,
                ElementsAre(HasSubstr("R1: 2 jobs dropped"),
                            HasSubstr("R2: 1 job dropped"),
                            HasSubstr("R2: 1 job kept"),
                            HasSubstr("R3: 1 job dropped"),
                            HasSubstr("R4: 1 job dropped"),
                            HasSubstr("R4: 1 job dropped"),
                            HasSubstr("R5: 1 job cut")));
}

TEST(Swf, KeepsTheOrderOfTheFileAmongEqualSubmissions) {
    const auto trace = swf(head + line(5, 9, 1, 1, 1, 1) + line(4, 3, 1, 1, 1, 1) +
                           line(3, 9, 1, 1, 1, 1) + line(2, 3, 1, 1, 1, 1));
    ASSERT_TRUE(trace.has_value());
    EXPECT_THAT(ids(*trace), ElementsAre("4", "2", "5", "3"));
}

TEST(Swf, CutsFractionsTowardZeroAndIgnoresFieldsBehindTheEighteenth) {
    const auto trace =
        swf(head + "1 2.9 -1 1e2 4.7 -1 -1 4.0 200.5 -1 1 1 1 -1 -1 -1 -1 -1 and more\r\n");
    ASSERT_TRUE(trace.has_value()) << error_of(trace);
    EXPECT_EQ(trace->jobs[0].submitted_at, at_seconds(2));
    EXPECT_EQ(trace->jobs[0].run, seconds(100));
    EXPECT_EQ(trace->jobs[0].limit, seconds(200));
}

TEST(Swf, TakesMaxNodesAndThenTheWidestJobWhereMaxProcsIsMissing) {
    const auto nodes = swf("; MaxProcs: -1\n; MaxNodes: 6\n" + line(1, 0, 1, 4, 4, 1));
    ASSERT_TRUE(nodes.has_value());
    EXPECT_EQ(nodes->fleet.pools[0].nodes, 6U);
    EXPECT_THAT(nodes->notes, ElementsAre(HasSubstr("MaxNodes, 6, is taken")));
    const auto widest = swf(line(1, 0, 1, 4, 4, 1) + line(2, 0, 1, 11, 4, 1));
    ASSERT_TRUE(widest.has_value());
    EXPECT_EQ(widest->fleet.pools[0].nodes, 11U);
    EXPECT_THAT(widest->notes, ElementsAre(HasSubstr("the widest job, 11 processors")));
}

TEST(Swf, NamesTheLineAndTheCountOfAShortLine) {
    const auto trace = swf(head + line(1, 0, 1, 1, 1, 1) + "2 0 -1 10 4\n");
    EXPECT_EQ(trace.error().code, Code::invalid);
    EXPECT_THAT(error_of(trace),
                AllOf(HasSubstr("log.swf:3:"), HasSubstr("5 fields"), HasSubstr("18")));
}

TEST(Swf, NamesTheFieldAndTheValueThatIsNoNumber) {
    EXPECT_THAT(error_of(swf(head + "1 0 -1 ten 4 -1 -1 4 20 -1 1 1 1 -1 -1 -1 -1 -1\n")),
                AllOf(HasSubstr("log.swf:2:"), HasSubstr("field 4 (run)"), HasSubstr("'ten'")));
    EXPECT_THAT(error_of(swf(head + "1 9e15 -1 10 4 -1 -1 4 20 -1 1 1 1 -1 -1 -1 -1 -1\n")),
                AllOf(HasSubstr("field 2 (submit)"), HasSubstr("are valid")));
    EXPECT_THAT(error_of(swf(head + "nan 0 -1 10 4 -1 -1 4 20 -1 1 1 1 -1 -1 -1 -1 -1\n")),
                HasSubstr("field 1 (job)"));
}

TEST(Swf, SaysWhyNothingIsLeftOfALog) {
    EXPECT_THAT(error_of(swf(head + "; only comments\n")), HasSubstr("no jobs in 2 lines"));
    EXPECT_THAT(error_of(swf(head + line(1, 0, 5, 1, 1, -1))), HasSubstr("R4: 1 job dropped"));
}

const std::string columns =
    "job_id,group,submit_s,duration_s,req_time_s,devices,device_share,cpus,"
    "mem_gb,chip,state,colour\n";

TEST(GpuCsv, ReadsSharesChipsCpusAndMemory) {
    const auto trace = csv(columns +
                           "a,vc-1,3,60,120,1,0.46,11.908,1.5,V100M16|T4|V100M16,"
                           "COMPLETED,red\nb,,5,7,,16,1,,,,,\n");
    ASSERT_TRUE(trace.has_value()) << error_of(trace);
    EXPECT_FALSE(trace->classic);
    ASSERT_EQ(trace->jobs.size(), 2U);
    const TraceJob& a = trace->jobs[0];
    EXPECT_EQ(a.chip_permille, 460U);
    EXPECT_EQ(a.cpus_milli, 11908U);
    EXPECT_EQ(a.memory, mebibytes(1536));
    EXPECT_EQ(a.limit, seconds(120));
    EXPECT_EQ(trace->names.at(a.group), "vc-1");
    EXPECT_THAT(trace->chip_sets.at(a.accepts), ElementsAre("V100M16", "T4"));
    const TraceJob& b = trace->jobs[1];
    EXPECT_EQ(b.chips, 16U);
    EXPECT_EQ(b.limit, forever);
    EXPECT_EQ(b.group, unknown_name);
    EXPECT_EQ(b.accepts, unknown_name);
    EXPECT_EQ(b.chip_permille, 1000U);
}

TEST(GpuCsv, ReadsTheClassOfAJobWhereAColumnNamesIt) {
    const std::string classes = "job_id,submit_s,duration_s,priority\n";
    const auto trace = csv(classes + "a,0,1,low\nb,0,1,\nc,0,1,urgent\n");
    ASSERT_TRUE(trace.has_value()) << error_of(trace);
    EXPECT_EQ(trace->jobs[0].priority, job::Priority::low);
    EXPECT_EQ(trace->jobs[1].priority, job::Priority::normal);
    EXPECT_EQ(trace->jobs[2].priority, job::Priority::urgent);
    EXPECT_TRUE(trace->has_classes());
    EXPECT_FALSE(csv(classes + "a,0,1,high\nb,0,1,high\n")->has_classes());
    EXPECT_EQ(error_of(csv(classes + "a,0,1,7\n")),
              "log.csv:2: priority is '7'; valid are low, normal, high, urgent, or empty");
}

TEST(GpuCsv, ReadsHowEfficientlyAJobRanWhereItWasMeasured) {
    const std::string titles = "job_id,submit_s,duration_s,plan_efficiency,kernel_efficiency\n";
    const auto trace = csv(titles + "a,0,10,0.75,0.4\nb,0,10,,\nc,0,10,1,1\n");
    ASSERT_TRUE(trace.has_value()) << error_of(trace);
    EXPECT_EQ(trace->jobs[0].efficiency, (tenancy::Efficiency{750'000, 400'000}));
    EXPECT_EQ(trace->jobs[1].efficiency, std::nullopt);
    EXPECT_EQ(trace->jobs[2].efficiency, tenancy::Efficiency{});
    EXPECT_EQ(error_of(csv(titles + "a,0,10,0.5,\n")),
              "log.csv:2: kernel_efficiency is ''; where plan_efficiency is given, this is, too");
}

TEST(GpuCsv, DropsWhatNeverStartedAndCutsARunToItsLimit) {
    const auto trace = csv(columns + "a,,3,,,1,1,,,,PENDING,\nb,,4,50,40,1,1,,,,TIMEOUT,\n");
    ASSERT_TRUE(trace.has_value()) << error_of(trace);
    EXPECT_THAT(ids(*trace), ElementsAre("b"));
    EXPECT_EQ(trace->jobs[0].run, seconds(40));
    EXPECT_THAT(trace->notes, ElementsAre(HasSubstr("never started"), HasSubstr("cut")));
}

TEST(GpuCsv, SaysWhichColumnWasProbablyMeantAndWhichIdsStandTwice) {
    const Folder folder;
    const auto notes = [&folder](std::string_view text) {
        auto trace = read_trace(folder.file("a.csv", text));
        if (!trace) return std::vector<std::string>{trace.error().message};
        EXPECT_THAT(trace->notes.back(), HasSubstr("a.cluster.json not found"));
        trace->notes.pop_back();
        return trace->notes;
    };
    EXPECT_THAT(notes("job_id,submit_s,duration_s,devces,cpus,qos\n1,0,5,8,1,x\n"),
                ElementsAre(AllOf(HasSubstr("a.csv:1: column 'devces' is not read"),
                                  HasSubstr("(did you mean 'devices'?)"))));
    // A column of the log's own beside the one that it resembles.
    EXPECT_THAT(notes("job_id,submit_s,duration_s,devices,device\n1,0,5,8,gpu7\n"), ElementsAre());
    EXPECT_THAT(notes("job_id,submit_s,duration_s\na,0,5\nb,0,5\na,1,5\n"),
                ElementsAre("job_id 'a' stands in line 2 and again in line 4: each line is taken "
                            "for a job of its own"));
    EXPECT_THAT(notes("job_id,submit_s,duration_s\na,9,5\nb,0,5\nb,0,5\na,1,5\na,1,5\n"),
                ElementsAre(HasSubstr("job_id 'b' stands in line 3 and again in line 4, and 2 "
                                      "lines more repeat one"),
                            HasSubstr("sorted")));
}

TEST(GpuCsv, NamesLineColumnAndValueOfWhatIsWrong) {
    EXPECT_THAT(error_of(csv("job_id,submit_s\n")), HasSubstr("no column 'duration_s'"));
    EXPECT_THAT(error_of(csv(columns + "a,,,5,,,,,,,,\n")),
                AllOf(HasSubstr("log.csv:2:"), HasSubstr("submit_s")));
    EXPECT_THAT(error_of(csv(columns + "a,,0,,,,,,,,COMPLETED,\n")), HasSubstr("duration_s"));
    EXPECT_THAT(error_of(csv(columns + "a,,0,-4,,,,,,,,\n")), HasSubstr("duration_s is '-4'"));
    EXPECT_THAT(error_of(csv(columns + "a,,0,4,,2,0.5,,,,,\n")), HasSubstr("needs one device"));
    EXPECT_THAT(error_of(csv(columns + "a,,0,4,,1,1.5,,,,,\n")), HasSubstr("device_share"));
    EXPECT_THAT(error_of(csv(columns + "a,,0,4,,,,,,,SLEEPING,\n")),
                AllOf(HasSubstr("'SLEEPING'"), HasSubstr("COMPLETED")));
    EXPECT_THAT(error_of(csv(columns + "a,,0\n")), HasSubstr("3 fields"));
    EXPECT_THAT(error_of(csv("")), HasSubstr("empty file"));
}

TEST(Csv, ReadsQuotedFieldsWithCommasQuotesAndLineBreaks) {
    LineReader lines =
        LineReader::over("q.csv", "\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\",\n\nlast");
    CsvReader reader(lines);
    std::vector<std::string_view> fields;
    ASSERT_TRUE(reader.next(fields).value());
    EXPECT_THAT(fields, ElementsAre("a,b", "say \"hi\"", "two\nlines", ""));
    ASSERT_TRUE(reader.next(fields).value());
    EXPECT_THAT(fields, ElementsAre("last"));
    EXPECT_EQ(reader.here(), "q.csv:4");
    EXPECT_FALSE(reader.next(fields).value());
}

TEST(Csv, RefusesAQuoteThatNeverEndsAndOneInTheMiddle) {
    for (const std::string text : {"a,\"open\nand on", "a\"b,c\n", "\"a\"b,c\n"}) {
        LineReader lines = LineReader::over("q.csv", text);
        CsvReader reader(lines);
        std::vector<std::string_view> fields;
        const auto got = reader.next(fields);
        ASSERT_FALSE(got.has_value()) << text;
        EXPECT_THAT(got.error().message, HasSubstr("q.csv:1:"));
    }
}

RC_GTEST_PROP(Csv, WhatIsWrittenIsReadBack, (std::vector<std::string> wanted)) {
    if (wanted.size() < 2) wanted.resize(2);  // a lone empty field is an empty line
    std::string text;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        // A carriage return before a line break is the one thing that line ends make ambiguous.
        std::replace(wanted[i].begin(), wanted[i].end(), '\r', '\n');
        if (i > 0) text.push_back(',');
        append_csv_field(text, wanted[i]);
    }
    text.push_back('\n');
    LineReader lines = LineReader::over("q.csv", text);
    CsvReader reader(lines);
    std::vector<std::string_view> fields;
    RC_ASSERT(reader.next(fields).value());
    RC_ASSERT(std::vector<std::string>(fields.begin(), fields.end()) == wanted);
}

const std::string sidecar_json = R"({
  "node_groups": [
    {"name": "cpu", "count": 3, "chip": null, "devices": 0, "cpus": 32, "mem_gb": 64.0},
    {"name": "gpu", "count": 2, "chip": "V100M16", "devices": 8, "cpus": 96.5, "mem_gb": 0.5}],
  "quotas_devices": {"a": 12, "b": 4},
  "variants": {"small": {"node_groups": [{"name": "gpu", "count": 1, "chip": "T4", "devices": 2}],
                         "quotas_devices": {"a": 2}}},
  "time": {"t0": "2017-09-04T10:30:41"},
  "caveats": ["for people"]})";

TEST(Sidecar, BecomesPoolsQuotasAndATime) {
    const auto sidecar = parse_sidecar(sidecar_json, "x.cluster.json", "x", "");
    ASSERT_TRUE(sidecar.has_value()) << error_of(sidecar);
    ASSERT_EQ(sidecar->fleet.pools.size(), 2U);
    EXPECT_EQ(sidecar->fleet.pools[0].chip, "");
    EXPECT_EQ(sidecar->fleet.pools[0].memory, gibibytes(64));
    EXPECT_EQ(sidecar->fleet.pools[1].chip, "V100M16");
    EXPECT_EQ(sidecar->fleet.pools[1].cpus_milli, 96500U);
    EXPECT_EQ(sidecar->fleet.pools[1].memory, mebibytes(512));
    EXPECT_EQ(sidecar->fleet.pools[1].site, "x");
    EXPECT_EQ(sidecar->fleet.chips_total(), 16U);
    EXPECT_EQ(sidecar->quotas_chips.at("b"), 4U);
    EXPECT_EQ(sidecar->zero_utc, parse_time("2017-09-04T10:30:41Z").value());
}

TEST(Sidecar, AVariantReplacesTheMachineAndAnUnknownOneIsToldWhichThereAre) {
    const auto small = parse_sidecar(sidecar_json, "x", "x", "small");
    ASSERT_TRUE(small.has_value()) << error_of(small);
    EXPECT_EQ(small->fleet.chips_total(), 2U);
    EXPECT_EQ(small->quotas_chips.size(), 1U);
    EXPECT_THAT(error_of(parse_sidecar(sidecar_json, "x", "x", "tiny")),
                AllOf(HasSubstr("'tiny'"), HasSubstr("valid: small")));
}

TEST(Sidecar, NamesTheKeyAndTheValueThatIsWrong) {
    const auto wrong = [](const std::string& group) {
        return error_of(
            parse_sidecar("{\"node_groups\": [" + group + "]}", "x.cluster.json", "x", ""));
    };
    EXPECT_THAT(wrong(R"({"name": "g", "count": -1})"),
                AllOf(HasSubstr("node_groups[0].count is -1"), HasSubstr("whole number")));
    EXPECT_THAT(wrong(R"({"count": 1})"), HasSubstr("node_groups[0].name"));
    EXPECT_THAT(wrong(R"({"name": "g", "count": 1, "devices": 4})"), HasSubstr(".chip"));
    EXPECT_THAT(wrong(R"({"name": "g", "count": 1, "devices": 65, "chip": "c"})"),
                HasSubstr("0 to 64"));
    EXPECT_THAT(wrong(R"({"name": "g", "count": 1}, {"name": "g", "count": 1})"),
                HasSubstr("two groups"));
    EXPECT_THAT(wrong(R"({"name": "g", "count": 1, "mem_gb": "a lot"})"), HasSubstr("mem_gb"));
    EXPECT_THAT(wrong(""), HasSubstr("no nodes"));
    EXPECT_THAT(error_of(parse_sidecar("{\"a\": \n [1,", "x.cluster.json", "x", "")),
                AllOf(HasSubstr("x.cluster.json: not valid JSON"), HasSubstr("line 2")));
}

TEST(LineReader, ReadsPlainAndGzipAlikeWhateverTheNameSays) {
    const Folder folder;
    const std::string text = head + line(1, 0, 5, 1, 1, 9);
    const std::string gzip = packed(folder, text);
    ASSERT_EQ(gzip.substr(0, 2), "\x1f\x8b");
    for (const std::string& path : {folder.file("a.swf", text),
                                    folder.file("b.swf.gz", text),
                                    folder.file("c.swf", gzip),
                                    folder.file("d.swf.gz", gzip)}) {
        const auto trace = read_trace(path);
        ASSERT_TRUE(trace.has_value()) << error_of(trace);
        EXPECT_EQ(trace->jobs.size(), 1U);
    }
}

TEST(LineReader, JoinsGzipMembersAndToleratesPaddingWithZeros) {
    const Folder folder;
    const std::string path = folder.file(
        "a.swf.gz",
        packed(folder, head) + packed(folder, line(1, 0, 5, 1, 1, 9)) + std::string(1000, '\0'));
    const auto trace = read_trace(path);
    ASSERT_TRUE(trace.has_value()) << error_of(trace);
    EXPECT_EQ(trace->jobs.size(), 1U);
}

TEST(LineReader, SaysThatATruncatedGzipFileIsNotWholeAtEveryLength) {
    const Folder folder;
    std::string text = head;
    for (int i = 0; i < 200; ++i)
        text += line(i, i, 5 + i % 7, 1, 1, 900);
    const std::string gzip = packed(folder, text);
    for (std::size_t length = 2; length < gzip.size(); length += 37) {
        const auto trace = read_trace(folder.file("cut.swf.gz", gzip.substr(0, length)));
        ASSERT_FALSE(trace.has_value()) << length;
        EXPECT_THAT(error_of(trace), AllOf(HasSubstr("cut.swf.gz"), HasSubstr("ends too early")));
    }
    std::string damaged = gzip;
    damaged[gzip.size() / 2] = static_cast<char>(damaged[gzip.size() / 2] ^ 0x55);
    EXPECT_FALSE(read_trace(folder.file("bad.swf.gz", damaged)).has_value());
}

TEST(LineReader, KeepsToItsLimitsForALongLineAndForATextThatUnfolds) {
    const Folder folder;
    const std::string bomb = packed(folder, std::string(3'000'000, '\n'));
    EXPECT_LT(bomb.size(), 10'000U);
    LineReader reader = LineReader::over("bomb", bomb, {.bytes_max = 1'000'000, .line_max = 100});
    std::string_view view;
    Result<bool> got = reader.next(view);
    while (got.has_value() && *got)
        got = reader.next(view);
    ASSERT_FALSE(got.has_value());
    EXPECT_EQ(got.error().code, Code::too_large);
    LineReader wide = LineReader::over("wide", "short\n" + std::string(101, 'x'), {1 << 20, 100});
    EXPECT_TRUE(wide.next(view).value());
    const auto long_line = wide.next(view);
    ASSERT_FALSE(long_line.has_value());
    EXPECT_THAT(long_line.error().message, AllOf(HasSubstr("wide:2"), HasSubstr("100 bytes")));
}

RC_GTEST_PROP(LineReader, GivesBackEveryLineOfAnyText, ()) {
    // Lines around the size of the inner buffers, where a reader is most likely to slip.
    const auto seed = *rc::gen::arbitrary<std::uint64_t>();
    Random random(seed);
    std::vector<std::string> wanted;
    std::string text;
    const auto count = random.between(0, 20);
    for (std::int64_t i = 0; i < count; ++i) {
        const auto length =
            random.chance(0.3) ? random.between(262'100, 262'200) : random.between(0, 50);
        wanted.emplace_back(static_cast<std::size_t>(length), static_cast<char>('a' + i % 26));
        text += wanted.back();
        const bool last = i + 1 == count;
        if (!last || random.chance(0.5) || wanted.back().empty()) {
            text += random.chance(0.3) ? "\r\n" : "\n";
        }
    }
    LineReader reader = LineReader::over("text", text, {1 << 30, 300'000});
    std::string_view view;
    for (const std::string& line_wanted : wanted) {
        RC_ASSERT(reader.next(view).value());
        RC_ASSERT(view == line_wanted);
    }
    RC_ASSERT(!reader.next(view).value());
    RC_ASSERT(reader.line_number() == wanted.size());
}

TEST(ReadTrace, FindsTheSidecarBesideTheTraceAndSaysWhenItIsMissing) {
    const Folder folder;
    const std::string path = folder.file("two.words.csv", columns + "a,,0,4,,1,1,,,,,\n");
    const auto alone = read_trace(path);
    ASSERT_TRUE(alone.has_value()) << error_of(alone);
    EXPECT_TRUE(alone->fleet.pools.empty());
    EXPECT_THAT(alone->notes, ElementsAre(HasSubstr("two.words.cluster.json not found")));
    EXPECT_EQ(read_trace(path, variant("small")).error().code, Code::not_found);
    folder.file("two.words.cluster.json", sidecar_json);
    const auto both = read_trace(path, variant("small"));
    ASSERT_TRUE(both.has_value()) << error_of(both);
    EXPECT_EQ(both->name, "two.words");
    EXPECT_EQ(both->fleet.chips_total(), 2U);
    EXPECT_TRUE(both->notes.empty());
}

TEST(ReadTrace, NamesAMissingFileAFolderAndAnUnknownFormat) {
    const Folder folder;
    const auto missing = read_trace(folder.path("none.swf"));
    ASSERT_FALSE(missing.has_value());
    EXPECT_EQ(missing.error().code, Code::not_found);
    EXPECT_THAT(error_of(missing), HasSubstr("none.swf"));
    std::filesystem::create_directory(folder.path("folder.swf"));
    EXPECT_THAT(error_of(read_trace(folder.path("folder.swf"))), HasSubstr("is a folder"));
    EXPECT_THAT(error_of(read_trace(folder.file("log.txt", "x"))),
                AllOf(HasSubstr("log.txt"), HasSubstr(".swf.gz")));
}

TEST(TextNumber, CutsFractionsAndRefusesWhatIsNoNumber) {
    const auto cut = [](std::string_view text) {
        std::int64_t value = 0;
        return parse_cut(text, value) ? std::to_string(value) : std::string("no");
    };
    EXPECT_EQ(cut("0"), "0");
    EXPECT_EQ(cut("-17"), "-17");
    EXPECT_EQ(cut("+17"), "17");
    EXPECT_EQ(cut("12.99"), "12");
    EXPECT_EQ(cut("-12.99"), "-12");
    EXPECT_EQ(cut("1e3"), "1000");
    EXPECT_EQ(cut("999999999999999999"), "999999999999999999");
    for (const char* text : {"",
                             "-",
                             "+",
                             "--1",
                             "+-1",
                             "1x",
                             "x",
                             "nan",
                             "inf",
                             "0x10",
                             "1 ",
                             "1e400",
                             "99999999999999999999"}) {
        EXPECT_EQ(cut(text), "no") << text;
    }
}

RC_GTEST_PROP(TextNumber, ReadsEveryWholeNumberBack, (std::int64_t number)) {
    number %= 1'000'000'000'000'000'000;
    std::int64_t value = 0;
    RC_ASSERT(parse_cut(std::to_string(number), value));
    RC_ASSERT(value == number);
}

TEST(TraceReaders, SurviveDamagedInputOfEveryKind) {
    const std::array<std::string, 5> corpus = {
        "s" + head + line(1, 0, 5, 1, 1, 9) + line(2, 3, 50, -1, 8, 9),
        "s;MaxNodes: 4\n1 2.5 -1 1e2 4 -1 -1 4 200 -1 1 1 1 -1 -1 -1 -1 -1\n",
        "c" + columns + "a,vc-1,3,60,120,1,0.46,11.908,1.5,V100M16|T4,COMPLETED,red\n",
        "cjob_id,submit_s,duration_s,mem_gb\n\"a,\"\"b\",0,1,1e300\n",
        "j" + sidecar_json};
    Random random(20'261'124);
    for (const std::string& seed : corpus) {
        for (int round = 0; round < 3000; ++round) {
            std::string input = seed;
            const auto changes = random.between(0, 4);
            for (std::int64_t i = 0; i < changes && input.size() > 1; ++i) {
                const auto last = static_cast<std::int64_t>(input.size()) - 1;
                const auto at = static_cast<std::size_t>(random.between(1, last));
                switch (random.between(0, 3)) {
                    case 0:
                        input[at] = static_cast<char>(random.between(0, 255));
                        break;
                    case 1:
                        input.erase(at, 1);
                        break;
                    case 2:
                        input.insert(at, 1, "0,9\n;\"-.e|{}"[random.between(0, 11)]);
                        break;
                    default:
                        input.resize(at + 1);
                        break;
                }
            }
            LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()),
                                   input.size());
        }
    }
}

}  // namespace
}  // namespace weir::sim
