#include "weir/exec/machine_checks.hpp"

#include <gmock/gmock.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "weir/exec/run_fixture.hpp"

namespace weir::exec {
namespace {

using ::testing::HasSubstr;
using testing::read_text;
using testing::Runs;

MachineCheck check_named(const std::vector<MachineCheck>& checks, const std::string& name) {
    for (const MachineCheck& check : checks) {
        if (check.name == name) return check;
    }
    return {name, Health::fail, "no such check"};
}

MachineCheckOptions options_for(const std::string& folder) {
    MachineCheckOptions options;
    options.data_dir = folder;
    options.shepherd = std::string(WEIR_BINARY_DIR) + "/weir-shepherd";
    options.delegation = {"", "no cgroup v2 tree is mounted"};
    options.discovery.facts = {{"hwloc", true, "2 cores"},
                               {"nvml", false, "libnvidia-ml.so.1 is not installed"},
                               {"dcmi", false, "libdcmi.so is there, but dcmi_init failed"}};
    return options;
}

TEST(MachineChecks, SayWhatIsWellAndWhatIsNotInSentencesWithNumbers) {
    Runs runs;
    const auto checks = machine_checks(options_for(runs.folder()));
    EXPECT_EQ(check_named(checks, "shepherd").health, Health::ok);
    EXPECT_THAT(check_named(checks, "data folder").detail, HasSubstr("a durable write takes"));
    EXPECT_THAT(check_named(checks, "disk room").detail, HasSubstr("files left"));
    EXPECT_EQ(check_named(checks, "memory limits").health, Health::warn);
    EXPECT_EQ(check_named(checks, "memory limits").detail,
              "reserved, but not enforced: no cgroup v2 tree is mounted");
    EXPECT_EQ(check_named(checks, "hwloc").health, Health::ok);
    EXPECT_EQ(check_named(checks, "nvml").health, Health::ok) << "no accelerator is no defect";
    EXPECT_EQ(check_named(checks, "dcmi").health, Health::warn) << "a broken one is";
    EXPECT_NE(check_named(checks, "open files").detail, "no such check");
    for (const MachineCheck& check : checks)
        EXPECT_FALSE(check.detail.empty()) << check.name;
    EXPECT_TRUE(std::filesystem::is_empty(runs.folder())) << "a check leaves nothing behind";
}

TEST(MachineChecks, FailWhenNoJobCouldRunOrBeKept) {
    Runs runs;
    auto options = options_for(runs.path("missing"));
    options.shepherd = "/no/such/weir-shepherd";
    options.program_folders = {runs.folder()};
    options.libraries.openblas = {"libno-such-blas.so"};
    const auto checks = machine_checks(options);
    EXPECT_EQ(check_named(checks, "shepherd").health, Health::fail);
    EXPECT_EQ(check_named(checks, "data folder").health, Health::fail);
    EXPECT_EQ(check_named(checks, "mpirun").health, Health::warn);
    EXPECT_EQ(check_named(checks, "openblas").health, Health::warn);
}

// ---- Memory limits -----------------------------------------------------------------------------

TEST(MemoryLimit, DelegationIsFoundOnlyWhereTheMemoryControllerIsOurs) {
    Runs runs;
    const std::string top = runs.path("cg");
    std::filesystem::create_directories(top + "/own");
    const auto put = [](const std::string& path, const char* text) { std::ofstream(path) << text; };
    put(runs.path("mountinfo"), ("30 20 0:26 / " + top + " rw - cgroup2 cgroup2 rw\n").c_str());
    put(runs.path("membership"), "5:cpu:/x\n0::/own\n");
    const auto look = [&] {
        return look_for_delegation(runs.path("mountinfo"), runs.path("membership"));
    };
    put(top + "/own/cgroup.controllers", "hugetlb\n");
    EXPECT_THAT(look().detail, HasSubstr("does not have the memory controller"));
    put(top + "/own/cgroup.controllers", "cpu memory pids\n");
    EXPECT_THAT(look().detail, HasSubstr("belongs to somebody else"));
    put(top + "/own/cgroup.subtree_control", "");
    put(top + "/own/cgroup.procs", "");
    EXPECT_EQ(look().folder, top + "/own");
    put(runs.path("membership"), "0::/own/weir-hub\n");
    EXPECT_EQ(look().folder, top + "/own") << "begun again in its own leaf";
    put(runs.path("membership"), "5:cpu:/x\n0::/own\n");
    put(top + "/own/cgroup.type", "domain\n");
    put(top + "/own/cgroup.procs", (std::to_string(::getpid()) + "\n").c_str());
    EXPECT_EQ(look().folder, top + "/own") << "alone in it";
    put(top + "/own/cgroup.procs", ("1\n" + std::to_string(::getpid()) + "\n").c_str());
    EXPECT_THAT(look().detail, HasSubstr("is shared with other processes"));
    EXPECT_THAT(look().detail, HasSubstr("with Delegate=yes KillMode=process"));
    put(top + "/own/cgroup.subtree_control", "memory\n");
    EXPECT_EQ(look().folder, top + "/own") << "it was handed on already";
    put(top + "/cgroup.procs", "1\n");
    put(top + "/cgroup.subtree_control", "cpu memory\n");
    EXPECT_EQ(look().folder, top + "/weir") << "root takes a branch of its own";

    put(runs.path("mountinfo"), "30 20 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n");
    EXPECT_EQ(look().detail, "no cgroup v2 tree is mounted");
}

// The controller's files stood in for by plain ones: what weir writes and how it reads an answer.
TEST(MemoryLimit, IsWrittenIntoTheCgroupOfTheAttemptAndItsVerdictRead) {
    Runs runs;
    const std::string branch = runs.path("cg/" + hub_id(runs.folder()).value());
    const std::string group = branch + "/job-1.1";
    std::filesystem::create_directories(group);
    std::ofstream(branch + "/cgroup.subtree_control") << "";
    for (const char* const file :
         {"memory.max", "memory.swap.max", "memory.oom.group", "cgroup.procs", "cgroup.kill"}) {
        std::ofstream(group + "/" + file) << "";
    }
    std::ofstream(group + "/memory.events") << "low 0\nmax 4\noom 1\noom_kill 1\n";
    runs.open({runs.path("cg"), "for the test"});
    auto greedy = runs.launch(1, "kill -KILL $$");
    greedy.memory_limit = mebibytes(64);
    const auto end = runs.run(greedy);
    EXPECT_EQ(end.kind, EndKind::memory) << end.detail;
    EXPECT_THAT(end.detail, HasSubstr("memory limit of the job was reached"));
    EXPECT_EQ(read_text(group + "/memory.max"), "67108864");
    EXPECT_EQ(read_text(group + "/cgroup.procs"), "0") << "the task moves itself in";
}

TEST(MemoryLimit, KeepsTheAttemptsOfTwoHubsApart) {
    Runs one;
    Runs other;
    const auto id = hub_id(one.folder());
    ASSERT_TRUE(id) << id.error().message;
    EXPECT_EQ(id->size(), 16u);
    EXPECT_EQ(hub_id(one.folder()).value(), *id) << "drawn once";
    EXPECT_NE(hub_id(other.folder()).value(), *id);
    std::ofstream(one.path("hub-id")) << "../../elsewhere\n";
    EXPECT_THAT(hub_id(one.folder()).error().message, HasSubstr("holds no id of a hub"));

    std::filesystem::create_directories(one.path("cg/" + *id));
    const CgroupDelegation delegation{one.path("cg"), "for the test"};
    EXPECT_FALSE(take_branch(delegation, *id).usable()) << "no controller can be handed on";
    std::ofstream(one.path("cg/" + *id + "/cgroup.subtree_control")) << "";
    EXPECT_EQ(attempt_cgroup(take_branch(delegation, *id), {JobId{12}, 1}),
              one.path("cg/" + *id + "/job-12.1"));
    EXPECT_EQ(read_text(one.path("cg/" + *id + "/cgroup.subtree_control")), "+memory");
}

TEST(MemoryLimit, EndsAJobThatTakesMoreThanItReserved) {
    const CgroupDelegation delegation = take_delegation();
    if (!delegation.usable()) GTEST_SKIP() << delegation.detail;
    Runs runs;
    runs.open(delegation);
    auto greedy = runs.launch(1, "head -c 400000000 /dev/zero | tail");
    greedy.memory_limit = mebibytes(64);
    EXPECT_EQ(runs.run(greedy).kind, EndKind::memory);
    auto modest = runs.launch(2, "head -c 4000000 /dev/zero | tail -c 1");
    modest.memory_limit = mebibytes(64);
    EXPECT_TRUE(runs.run(modest).succeeded());
}

}  // namespace
}  // namespace weir::exec
