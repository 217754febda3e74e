#include "weir/hub/launching.hpp"

#include <gtest/gtest.h>

#include "weir/hub/hub_world.hpp"

namespace weir::hub {
namespace {

TEST(OutputPath, ExpandsThePatternsOfSlurmAndLeavesTheOthers) {
    const OutputName name{.job = "15",
                          .array = "12",
                          .array_index = "3",
                          .name = "wing",
                          .user = "ada",
                          .node = "n7",
                          .rank = 4};
    EXPECT_EQ(expand_output_path("out.%j.%A_%a.%x.%u.%N.%t.%r", name),
              "out.15.12_3.wing.ada.n7.4.4");
    EXPECT_EQ(expand_output_path("%4j-%03a-%2A", name), "0015-003-12");
    EXPECT_EQ(expand_output_path("100%%-%q-%", name), "100%-%q-%");
    EXPECT_EQ(expand_output_path("%999999999999999999j", name), "0000000015");
    EXPECT_EQ(expand_output_path("%5", name), "%5");
}

class LaunchOf : public testing::Test {
protected:
    LaunchOf() {
        const auto opened = world.open();
        if (!opened) ADD_FAILURE() << opened.error().message;
    }
    const exec::Launch& launch(const Submission& submission) {
        const auto accepted = world.submit(submission);
        EXPECT_TRUE(accepted) << (accepted ? "" : accepted.error().message);
        return world.executor.attempts.at({accepted->first, 1}).launch;
    }
    HubWorld world{small_fleet(2)};
};

TEST_F(LaunchOf, DealsTheChipsOfANodeOutAmongTheRanksOnIt) {
    const auto& tasks = launch(submission_of("gang", 4, 2)).tasks;
    ASSERT_EQ(tasks.size(), 4U);
    std::string seen;
    for (const exec::Task& task : tasks) {
        seen += task.env.at("WEIR_NODE") + ":" + task.env.at("LOCAL_RANK") + "=" +
                task.env.at("CUDA_VISIBLE_DEVICES") + " ";
    }
    EXPECT_EQ(seen, "main-0:0=0,1 main-0:1=2,3 main-1:0=0,1 main-1:1=2,3 ");
}

TEST_F(LaunchOf, LetsFractionsShareTheirChip) {
    Submission submission = submission_of("halves", 2, 0);
    submission.spec.gang.chip_permille = 500;
    const auto& tasks = launch(submission).tasks;
    ASSERT_EQ(tasks.size(), 2U);
    EXPECT_EQ(tasks[0].env.at("CUDA_VISIBLE_DEVICES"), "0");
    EXPECT_EQ(tasks[1].env.at("CUDA_VISIBLE_DEVICES"), "0");
}

TEST_F(LaunchOf, StartsALauncherOnceForItsWholeGang) {
    Submission submission = submission_of("mpi", 2);
    submission.spec.launch = job::LaunchMode::once;
    submission.spec.gang.memory = gibibytes(3);
    const exec::Launch& once = launch(submission);
    ASSERT_EQ(once.tasks.size(), 1U);
    EXPECT_EQ(once.tasks[0].node, "main-0");
    EXPECT_EQ(once.env.at("WORLD_SIZE"), "2");
    EXPECT_EQ(once.memory_limit, gibibytes(6));
}

TEST_F(LaunchOf, TellsTheVendorsLibraryByWhichWayTheJobWasPlanned) {
    fleet::Fleet fleet = small_fleet(1);
    fleet.pools[0].chip = "b200";
    HubWorld b200{fleet};
    ASSERT_TRUE(b200.open());
    const auto env = [&b200](Submission submission) {
        const auto accepted = b200.submit(submission);
        EXPECT_TRUE(accepted) << (accepted ? "" : accepted.error().message);
        return b200.executor.attempts.at({accepted->first, 1}).launch.env;
    };
    Submission linpack = submission_of("linpack", 1, 1);
    EXPECT_EQ(env(linpack).count("CUBLAS_EMULATE_DOUBLE_PRECISION"), 0U);
    linpack.spec.work = {{.name = "update",
                          .op = catalog::Op::gemm,
                          .flops = 1e15,
                          .bytes = 0,
                          .dim = 16384,
                          .format = catalog::Format::fp64,
                          .storage = {}}};
    EXPECT_EQ(env(linpack).at("CUBLAS_EMULATE_DOUBLE_PRECISION"), "0");
    linpack.spec.precision = job::Precision{};
    linpack.spec.precision->accept = {{catalog::Way::emulated, catalog::Grade::certified}};
    linpack.spec.precision->range_bits = 20;
    const auto emulated = env(linpack);
    EXPECT_EQ(emulated.at("CUBLAS_EMULATE_DOUBLE_PRECISION"), "1");
    EXPECT_EQ(emulated.at("CUBLAS_EMULATION_STRATEGY"), "performant");
    EXPECT_EQ(emulated.at("GEMMUL8_NUM_MOD_D"), "15");
    // Who sets it in the job knows why.
    linpack.spec.env["CUBLAS_EMULATION_STRATEGY"] = "eager";
    EXPECT_EQ(env(linpack).at("CUBLAS_EMULATION_STRATEGY"), "eager");
}

TEST_F(LaunchOf, PutsOutputWhereTheJobWantsItRelativeToItsFolder) {
    Submission submission = submission_of("sweep", 1, 1);
    submission.spec.stdout_path = "logs/%x-%A_%a.out";
    submission.spec.stderr_path = "/var/log/%j.err";
    submission.spec.array = job::Array{.indices = {7}, .at_once_max = 0};
    const exec::Launch& member = launch(submission);
    EXPECT_EQ(member.tasks[0].stdout_path, "/scratch/logs/sweep-1_7.out");
    EXPECT_EQ(member.tasks[0].stderr_path, "/var/log/1.err");
    EXPECT_EQ(member.env.at("WEIR_JOB_ID"), "1_7");
    EXPECT_EQ(member.env.at("WEIR_ARRAY_INDEX"), "7");
}

TEST_F(LaunchOf, RunsInTheRunFolderWhenNoFolderIsGiven) {
    Submission submission = submission_of("homeless");
    submission.spec.workdir.clear();
    EXPECT_EQ(launch(submission).workdir, "/data/runs/1.1");
}

}  // namespace
}  // namespace weir::hub
