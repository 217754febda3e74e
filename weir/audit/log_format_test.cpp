#include "weir/audit/log_format.hpp"

#include <gtest/gtest.h>

#include <chrono>

#include "weir/audit/small_log.hpp"
#include "weir/base/random.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size);

namespace weir::audit {
namespace {

TEST(LogFormat, EveryKindOfRecordReadsBackAsItWasWritten) {
    std::vector<Record> records = small_log();
    for (const std::vector<Record>& more : {counted_log(), house_log(), loan_log()})
        records.insert(records.end(), more.begin(), more.end());
    const NodeRun run{PoolId{0}, 3, 2};
    records.push_back(
        {at_seconds(900), SetApart{AdvanceId{7}, at_seconds(1000), never, true, {run}}});
    records.push_back({at_seconds(901), GivenBack{AdvanceId{7}}});
    for (Record& record : data_log())
        records.push_back(std::move(record));
    records.push_back({at_seconds(902), Cancelled{JobId{99}}});
    records.push_back({at_seconds(903), Dropped{JobId{98}, "a \"reason\"\n\\ of 3 lines"}});
    records.push_back({at_seconds(904), CapSet{{fleet::Level::site, PoolId{1}, 0}, 12'345.6789}});
    records.push_back({at_seconds(905), Preempted{JobId{5}, JobId::none()}});
    for (const Record& record : records) {
        std::string line;
        encode(record, line);
        ASSERT_EQ(line.back(), '\n');
        const Result<Record> read =
            decode(std::string_view(line).substr(0, line.size() - 1), "log:1");
        ASSERT_TRUE(read.has_value()) << read.error().message << "\n" << line;
        EXPECT_EQ(*read, record) << line;
    }
}

TEST(LogFormat, SaysPlaceFieldValueAndWhatIsValid) {
    const std::pair<std::string_view, std::string_view> wrong[] = {
        {R"({"at":0,"is":"end","job":1,"outcome":"fine"})",
         "x.log:7: outcome: \"fine\" is not valid; it has to be one of succeeded, failed, "
         "cancelled, lost"},
        {R"({"at":0,"is":"end","outcome":"failed"})", "x.log:7: job: is missing"},
        {R"({"at":0,"is":"end","job":-1,"outcome":"failed"})",
         "x.log:7: job: -1 is not valid; it has to be a whole number from 0 to "
         "4611686018427387904"},
        {R"({"at":0,"is":"cancel","job":1,"node":3})",
         R"(x.log:7: the record has 1 more keys than such a record has ({"at":0,"is":"cancel","job":1,"node":3}))"},
        {R"({"at":0,"is":"went"})",
         "x.log:7: is: \"went\" is not valid; it has to be one of run, submit, start, end, cancel, "
         "promise, drop, preempt, lost, replace, node, cap, reservation, reservation_end, copy, "
         "arrived, forget, loan, recall, loan_end, account, waterfall"},
        {R"({"at":0,"is":"start","job":1,"cause":"fits_now","on":[[0,0,1,1,0]]})",
         "x.log:7: on: [0,0,1,1,0] is not valid; it has to be [pool, first node, nodes, replicas "
         "on each, part, \"chips as hexadecimal bits\"]"},
        {R"({"at":0,"is":"submit","job":1,"parts":[{"replicas":1,"chips":65}],"pools":[0]})",
         "x.log:7: parts[0].chips: 65 is not valid; it has to be a whole number from 0 to 64"},
        {R"({"at":0,"is":"account","job":1,"running":12})",
         "x.log:7: running: 12 is not valid; it has to be decimal digits in quotes, of a number "
         "above 0"},
        {R"({"at":0,"is":"run","format":1,"policy":"","min_run_ms":0,"preemptions_per_hour_max":0,"resources":["chip"],"organisations":[{"path":"lab","quota":[[1,5]]}],"sites":[],"pools":[]})",
         "x.log:7: organisations[0].quota: [1,5] is not valid; it has to be [resource, amount], of "
         "1 resources and from 0 to 1152921504606846976"},
        {R"({"at":0,"is":"submit","job":1,"parts":[{"replicas":1}],"pools":[0],"barred":[]})",
         "x.log:7: barred: [] is not valid; it has to be a list with at least one pool"},
        {R"({"at":0,"is":"end",)", "x.log:7: is not a whole JSON object; was the log cut?"},
    };
    for (const auto& [line, sentence] : wrong) {
        const Result<Record> read = decode(line, "x.log:7");
        ASSERT_FALSE(read.has_value()) << line;
        EXPECT_EQ(read.error().code, Code::invalid);
        EXPECT_EQ(read.error().message, sentence);
    }
}

// Lines, and what comes of each by a few random changes.
TEST(LogFormat, SurvivesDamagedLines) {
    Random random(11);
    std::vector<Record> records = small_log();
    for (const std::vector<Record>& more : {counted_log(), house_log(), loan_log()})
        records.insert(records.end(), more.begin(), more.end());
    for (const Record& record : records) {
        std::string line;
        encode(record, line);
        for (int round = 0; round < 200; ++round) {
            std::string damaged = line;
            for (std::int64_t n = random.between(1, 3); n > 0; --n) {
                const auto at = static_cast<std::size_t>(
                    random.between(0, static_cast<std::int64_t>(damaged.size()) - 1));
                switch (random.between(0, 3)) {
                    case 0:
                        damaged[at] = static_cast<char>(random.between(0, 255));
                        break;
                    case 1:
                        damaged.erase(at, static_cast<std::size_t>(random.between(1, 8)));
                        break;
                    case 2:
                        damaged.insert(at, std::to_string(random.word()));
                        break;
                    default:
                        damaged.insert(at, damaged.substr(0, at));
                }
                if (damaged.empty()) damaged = "{";
            }
            LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(damaged.data()),
                                   damaged.size());
        }
    }
}

}  // namespace
}  // namespace weir::audit
