#include "weir/exec/run_files.hpp"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "weir/exec/shepherd_launch.hpp"
#include "weir/exec/shepherd_protocol.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace weir::exec {
namespace {

using ::testing::HasSubstr;

std::string end_text(const std::string& body) {
    char sum[32];
    std::snprintf(sum,
                  sizeof sum,
                  "sum %016llx\n",
                  static_cast<unsigned long long>(protocol::checksum(body.data(), body.size())));
    return body + sum;
}

const std::string good_body =
    "weir-end 1\nkind exited\nexit_code 3\nsignal 0\nrank 2\nstarted_ms 1000\nended_ms 2500\n"
    "max_rss_bytes 4096\ncpu_ms 12\noutput_cut 1\ndetail rank 2 failed, so\ntask 2 3 0 4096 12\n";

Launch launch_of(std::vector<Task> tasks) {
    Launch launch;
    launch.attempt = {JobId{12}, 3};
    launch.workdir = "/tmp";
    launch.script = "true";
    launch.tasks = std::move(tasks);
    return launch;
}

void fuzz(const std::string& text) {
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
}

TEST(EndFile, IsReadBackFieldByField) {
    const auto end = parse_end({JobId{7}, 1}, end_text(good_body));
    ASSERT_TRUE(end) << end.error().message;
    const auto behind_the_fence =
        parse_end({JobId{7}, 1}, "shepherd 12\nstarted_ms 1\ntask 0 13\n" + end_text(good_body));
    ASSERT_TRUE(behind_the_fence) << behind_the_fence.error().message;
    EXPECT_EQ(behind_the_fence->detail, end->detail);
    EXPECT_EQ(end->attempt.job, JobId{7});
    EXPECT_EQ(end->kind, EndKind::exited);
    EXPECT_EQ(end->exit_code, 3);
    EXPECT_EQ(end->rank, 2u);
    EXPECT_EQ(end->ended_at - end->started_at, Duration{1500});
    EXPECT_EQ(end->max_rss, Bytes{4096});
    EXPECT_EQ(end->cpu, Duration{12});
    EXPECT_TRUE(end->output_cut);
    EXPECT_FALSE(end->machine_failed);
    const auto refused = parse_end({JobId{7}, 1}, end_text(good_body + "machine_failed 1\n"));
    ASSERT_TRUE(refused) << refused.error().message;
    EXPECT_TRUE(refused->machine_failed);
    EXPECT_EQ(end->detail, "rank 2 failed, so");
    EXPECT_FALSE(end->succeeded());
}

TEST(EndFile, IsRefusedWhenAnyByteIsMissingOrChanged) {
    const std::string whole = end_text(good_body);
    for (std::size_t length = 0; length < whole.size(); ++length) {
        EXPECT_FALSE(parse_end({JobId{7}, 1}, whole.substr(0, length))) << length;
    }
    for (std::size_t at = 0; at < whole.size(); ++at) {
        std::string changed = whole;
        changed[at] = changed[at] == '0' ? '1' : '0';
        EXPECT_FALSE(parse_end({JobId{7}, 1}, changed)) << at;
    }
    EXPECT_FALSE(parse_end({JobId{7}, 1}, end_text("weir-end 1\nexit_code 0\n")));
    EXPECT_FALSE(parse_end({JobId{7}, 1}, end_text("weir-end 1\nkind vanished\n")));
}

RC_GTEST_PROP(LaunchFile,
              IsReadByTheShepherdAsTheHubMeantIt,
              (const std::map<std::string, std::string>& raw_env, std::uint8_t extra_tasks)) {
    // Names without '=' and NUL and no empty ones; values without NUL: all that Unix can hold.
    const auto clean = [](std::string text) {
        for (char& c : text) {
            if (c == '\0' || c == '=') c = '_';
        }
        return text;
    };
    Launch launch = launch_of({});
    for (const auto& [name, value] : raw_env)
        launch.env["V" + clean(name)] = clean(value);
    for (std::uint32_t rank = 0; rank <= extra_tasks % 20u; ++rank) {
        launch.tasks.push_back(
            {rank, "node", {{"RANK", std::to_string(rank)}}, "/o/" + std::to_string(rank), "/e"});
    }
    RC_ASSERT(check_launch(launch).has_value());
    const std::string bytes = encode_launch(launch, "/runs/12.3", "");

    shepherd::LaunchPlan plan;
    RC_ASSERT(shepherd::read_launch(bytes.data(), bytes.size(), plan) == nullptr);
    RC_ASSERT(std::string(plan.attempt) == "12.3");
    RC_ASSERT(plan.limit_ms == -1);
    RC_ASSERT(static_cast<std::size_t>(plan.task_count) == launch.tasks.size());
    for (int i = 0; i < plan.task_count; ++i) {
        std::map<std::string, std::string> env;
        for (int k = 0; plan.tasks[i].env[k] != nullptr; ++k) {
            const std::string entry = plan.tasks[i].env[k];
            env[entry.substr(0, entry.find('='))] = entry.substr(entry.find('=') + 1);
        }
        std::map<std::string, std::string> wanted = launch.env;
        wanted["RANK"] = std::to_string(i);
        wanted["WEIR_RUN_DIR"] = "/runs/12.3";
        RC_ASSERT(env == wanted);
        std::free(plan.tasks[i].env);
    }
    std::free(plan.tasks);

    // Cut anywhere, it is refused.
    const std::size_t length = *rc::gen::inRange<std::size_t>(0, bytes.size());
    shepherd::LaunchPlan part;
    RC_ASSERT(shepherd::read_launch(bytes.data(), length, part) != nullptr);
    for (int i = 0; i < part.task_count; ++i)
        std::free(part.tasks[i].env);
    std::free(part.tasks);
}

TEST(Launch, IsRefusedWithASentenceWhenItCannotBeWrittenDown) {
    const auto refusal = [](const Launch& launch) {
        const auto checked = check_launch(launch);
        return checked ? std::string("accepted") : checked.error().message;
    };
    EXPECT_THAT(refusal(launch_of({})), HasSubstr("12.3: has no tasks"));
    Launch relative = launch_of({{0, "n", {}, "out", "/e"}});
    EXPECT_THAT(refusal(relative), HasSubstr("output file 'out' is not an absolute path"));
    Launch nul = launch_of({{0, "n", {{"A", std::string("x\0y", 3)}}, "/o", "/e"}});
    EXPECT_THAT(refusal(nul), HasSubstr("A contains a NUL byte"));
    Launch equals = launch_of({{0, "n", {{"A=B", "x"}}, "/o", "/e"}});
    EXPECT_THAT(refusal(equals), HasSubstr("'A=B' is not the name of a variable"));
    Launch homeless = launch_of({{0, "n", {}, "/o", "/e"}});
    homeless.workdir = "here";
    EXPECT_THAT(refusal(homeless), HasSubstr("workdir 'here' is not an absolute path"));
}

TEST(RunFiles, SurviveAnyBytes) {
    const std::string launch =
        encode_launch(launch_of({{0, "n", {{"A", "b"}}, "/o", "/e"}}), "/r", "");
    for (const std::string& seed : {end_text(good_body),
                                    launch,
                                    std::string("12.3"),
                                    std::string("999999999999999999999.1"),
                                    std::string()}) {
        fuzz(seed);
        for (std::size_t at = 0; at < seed.size(); ++at) {
            std::string changed = seed;
            changed[at] = static_cast<char>(changed[at] + 1);
            fuzz(changed);
            fuzz(seed.substr(0, at));
            fuzz(seed.substr(at));
        }
    }
}

}  // namespace
}  // namespace weir::exec
