#include "weir/exec/environment.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <set>

#include "weir/job/job_json.hpp"
#include "weir/job/sbatch.hpp"

namespace weir::exec {
namespace {

LaunchContext gang(const std::vector<RankPlace>& ranks) {
    LaunchContext context;
    context.job_id = "12";
    context.attempt = {JobId{12}, 2};
    context.ranks = ranks;
    context.hub_url = "http://127.0.0.1:8421";
    context.run_dir = "/data/runs/12.2";
    context.submit_dir = "/home/ann";
    context.master_port = 23456;
    return context;
}

job::JobSpec named(const std::string& name) {
    job::JobSpec spec;
    spec.name = name;
    spec.tenant = "university/aero";
    return spec;
}

TEST(Environment, NumbersTheRanksOfAGangOverItsNodes) {
    const auto context = gang({{"a", 0b0011}, {"a", 0b1100}, {"b", 0b0011}});
    const auto spec = named("flutter");
    std::string told;
    for (std::uint32_t rank = 0; rank < 3; ++rank) {
        const auto env = rank_environment(context, spec, rank);
        told += env.at("RANK") + "/" + env.at("WEIR_REPLICA") + " on " + env.at("WEIR_NODE") +
                ": " + env.at("LOCAL_RANK") + " of " + env.at("LOCAL_WORLD_SIZE") + "\n";
    }
    EXPECT_EQ(told, "0/0 on a: 0 of 2\n1/1 on a: 1 of 2\n2/2 on b: 0 of 1\n");
    const auto shared = shared_environment(context, spec);
    EXPECT_EQ(shared.at("WORLD_SIZE"), "3");
    EXPECT_EQ(shared.at("MASTER_PORT"), "23456");
    EXPECT_EQ(shared.at("WEIR_NODES"), "a,b");
    EXPECT_EQ(shared.at("WEIR_ATTEMPT"), "2");
    EXPECT_EQ(shared.at("WEIR_TENANT"), "university/aero");
    EXPECT_EQ(shared.count("SLURM_JOB_ID"), 0u);
    EXPECT_EQ(shared.count("WEIR_ARRAY_INDEX"), 0u);
}

TEST(Environment, ShowsEachRankItsOwnChipsInTheWordsOfTheVendor) {
    auto context = gang({{"a", 0b0011}, {"a", 0b1100}});
    context.chip = "h100-sxm-80g";
    auto spec = named("train");
    EXPECT_EQ(rank_environment(context, spec, 1).at("CUDA_VISIBLE_DEVICES"), "2,3");
    context.chip = "mi300x";
    EXPECT_EQ(rank_environment(context, spec, 0).at("ROCR_VISIBLE_DEVICES"), "0,1");
    context.chip = "ascend-910b3";
    EXPECT_EQ(rank_environment(context, spec, 0).at("ASCEND_RT_VISIBLE_DEVICES"), "0,1");

    context.chip = "h100-sxm-80g";
    spec.launch = job::LaunchMode::once;
    EXPECT_EQ(rank_environment(context, spec, 0).at("CUDA_VISIBLE_DEVICES"), "0,1,2,3")
        << "a launcher needs all chips of its node";

    context = gang({{"a", 0}});
    context.chip = "h100-sxm-80g";
    EXPECT_EQ(rank_environment(context, named("post"), 0).at("CUDA_VISIBLE_DEVICES"), "")
        << "a job without chips must not see any";
    context.chip = "cpu";
    EXPECT_EQ(rank_environment(context, named("post"), 0).count("CUDA_VISIBLE_DEVICES"), 0u);
}

TEST(Environment, GivesBatchScriptsWhatSlurmWouldAndNothingThatFoolsMpirun) {
    auto context = gang({{"a", 0}, {"a", 0}, {"b", 0}});
    context.job_id = "12_7";
    context.array_id = "9";
    context.array_index = 7;
    auto spec = named("sweep");
    spec.batch_script = true;
    spec.gang.cpus_milli = 2500;
    spec.array = job::Array{{1, 4, 7}, 0};
    const auto env = shared_environment(context, spec);
    EXPECT_EQ(env.at("SLURM_JOB_ID"), "12");
    EXPECT_EQ(env.at("SLURM_JOB_NAME"), "sweep");
    EXPECT_EQ(env.at("SLURM_NTASKS"), "3");
    EXPECT_EQ(env.at("SLURM_CPUS_PER_TASK"), "3");
    EXPECT_EQ(env.at("SLURM_JOB_NUM_NODES"), "2");
    EXPECT_EQ(env.at("SLURM_SUBMIT_DIR"), "/home/ann");
    EXPECT_EQ(env.at("SLURM_ARRAY_JOB_ID"), "9");
    EXPECT_EQ(env.at("SLURM_ARRAY_TASK_ID"), "7");
    EXPECT_EQ(env.at("WEIR_ARRAY_INDEX"), "7");
    EXPECT_EQ(env.at("WEIR_JOB_ID"), "12_7");
    EXPECT_EQ(env.at("SLURM_NNODES"), "2");
    EXPECT_EQ(env.at("SLURM_CPUS_ON_NODE"), "5") << "two replicas of 2.5";
    EXPECT_EQ(env.at("SLURM_JOB_ACCOUNT"), "university/aero");
    EXPECT_EQ(env.at("SLURM_ARRAY_TASK_COUNT"), "3");
    EXPECT_EQ(env.at("SLURM_ARRAY_TASK_MIN"), "1");
    EXPECT_EQ(env.at("SLURM_ARRAY_TASK_MAX"), "7");
    EXPECT_EQ(env.count("SLURM_GPUS_ON_NODE"), 0u);
    const auto third = rank_environment(context, spec, 2);
    EXPECT_EQ(third.at("SLURM_PROCID") + third.at("SLURM_LOCALID") + third.at("SLURM_NODEID"),
              "201");
    EXPECT_EQ(env.count("SLURM_JOBID") + env.count("SLURM_NODELIST"), 0u);

    spec.env = {{"SLURM_NTASKS", "16"}, {"SLURM_CPUS_PER_TASK", "2"}};
    const auto asked = shared_environment(context, spec);
    EXPECT_EQ(asked.at("SLURM_NTASKS"), "16") << "what the script asked for stands";
    EXPECT_EQ(asked.at("SLURM_CPUS_PER_TASK"), "2");

    context = gang({{"a", 0b0011}, {"a", 0b1100}});
    context.chip = "h200";
    EXPECT_EQ(shared_environment(context, spec).at("SLURM_GPUS_ON_NODE"), "4");
    context.chip = "cpu";
    EXPECT_EQ(shared_environment(context, spec).count("SLURM_GPUS_ON_NODE"), 0u);
}

TEST(Environment, LetsAJobChooseItsOwnMeetingPlaceButNotThatOfTheJobItWasSubmittedFrom) {
    const auto context = gang({{"a", 0}});
    auto spec = named("train");
    spec.env = {{"MASTER_ADDR", "10.0.0.1"}, {"MASTER_PORT", "29500"}};
    EXPECT_EQ(shared_environment(context, spec).at("MASTER_ADDR"), "10.0.0.1");
    EXPECT_EQ(shared_environment(context, spec).at("MASTER_PORT"), "29500");
    spec.env["WEIR_JOB_ID"] = "11";
    EXPECT_EQ(shared_environment(context, spec).at("MASTER_ADDR"), "127.0.0.1");
    EXPECT_EQ(shared_environment(context, spec).at("MASTER_PORT"), "23456");
}

TEST(Environment, KnowsABatchScriptByHowItCameAndNotByItsText) {
    // With arguments, `set --` stands where the only directive stood.
    const auto parsed =
        job::read_sbatch_text("#!/bin/bash\n#SBATCH -n 3\necho $1\n", "s.sh", {"water"});
    ASSERT_TRUE(parsed) << parsed.error().message;
    EXPECT_EQ(parsed->spec.script.find("#SBATCH"), std::string::npos);
    const auto context = gang({{"a", 0}});
    EXPECT_EQ(shared_environment(context, parsed->spec).at("SLURM_JOB_ID"), "12");
    const auto journalled = job::spec_from_json(job::spec_to_json(parsed->spec));
    ASSERT_TRUE(journalled) << journalled.error().message;
    EXPECT_EQ(shared_environment(context, *journalled).at("SLURM_JOB_ID"), "12");

    auto other = named("report");
    other.script = "cat <<END > batch.sh\n#SBATCH -n 3\nEND\n";
    EXPECT_EQ(shared_environment(context, other).count("SLURM_JOB_ID"), 0u);
}

TEST(Environment, LetsTheJobOverrideItsAccountButNotTheFacts) {
    auto context = gang({{"a", 0}});
    context.account_env = {{"PATH", "/bin"}, {"LANG", "C"}, {"TZ", "UTC"}};
    auto spec = named("x");
    spec.env = {{"LANG", "zh_CN.UTF-8"},
                {"TZ", "Europe/Berlin"},
                {"WORLD_SIZE", "99"},
                {"OMPI_ALLOW_RUN_AS_ROOT", "0"}};
    context.as_root = true;
    const auto env = shared_environment(context, spec);
    EXPECT_EQ(env.at("PATH"), "/bin");
    EXPECT_EQ(env.at("LANG"), "zh_CN.UTF-8");
    EXPECT_EQ(env.at("TZ"), "Europe/Berlin");
    EXPECT_EQ(env.at("WORLD_SIZE"), "1");
    EXPECT_EQ(env.at("OMPI_ALLOW_RUN_AS_ROOT"), "0") << "the user's word stands";
    EXPECT_EQ(env.at("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"), "1");
    context.as_root = false;
    EXPECT_EQ(shared_environment(context, named("x")).count("OMPI_ALLOW_RUN_AS_ROOT"), 0u);
}

TEST(MasterPort, IsFreeAndDiffersBetweenGangsThatStartTogether) {
    std::set<std::uint16_t> ports;
    for (std::uint64_t job = 1; job <= 50; ++job) {
        const auto port = free_master_port({JobId{job}, 1});
        EXPECT_GE(port, 20000);
        EXPECT_LT(port, 32000);
        ports.insert(port);
    }
    EXPECT_GE(ports.size(), 45u);

    // Taken by a listener, the same attempt is given another one.
    const AttemptId attempt{JobId{7}, 1};
    const std::uint16_t first = free_master_port(attempt);
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(first);
    ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(fd, 1), 0);
    EXPECT_NE(free_master_port(attempt), first);
    ::close(fd);
}

}  // namespace
}  // namespace weir::exec
