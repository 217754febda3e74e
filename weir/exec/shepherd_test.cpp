// weir-shepherd alone, without a hub: what it does when the machine refuses it something, and what
// it refuses to do for a job.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cstddef>
#include <optional>

#include "weir/exec/run_fixture.hpp"
#include "weir/exec/shepherd_protocol.hpp"

namespace weir::exec {
namespace {

using ::testing::HasSubstr;
using testing::read_text;
using testing::Runs;

constexpr int cannot_forbid = 99;

struct Refusal {
    long call = -1;
    int reason = 0;
};

// From now on this system call fails in this process and in what it becomes.
bool forbid(Refusal refusal) {
    const auto call = static_cast<std::uint32_t>(refusal.call);
    const auto answer = SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(refusal.reason);
    sock_filter steps[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                           BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
                           BPF_STMT(BPF_RET | BPF_K, answer),
                           BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    const sock_fprog program{4, steps};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

// The exit status of a shepherd that is given this launch.
int shepherd(Runs& runs, const Launch& launch, Refusal refusal, const std::string& cgroup = "") {
    const std::string folder = run_folder(runs.folder(), launch.attempt);
    std::filesystem::create_directories(folder);
    EXPECT_TRUE(write_whole(folder + "/script", launch.script, 0700));
    const std::string bytes = encode_launch(launch, folder, cgroup);
    const int input = ::memfd_create("launch", 0);
    EXPECT_EQ(::pwrite(input, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
    const pid_t child = ::fork();
    if (child == 0) {
        ::dup2(input, 0);
        if (refusal.call >= 0 && !forbid(refusal)) ::_exit(cannot_forbid);
        const std::string program = std::string(WEIR_BINARY_DIR) + "/weir-shepherd";
        ::execl(program.c_str(), "weir-shepherd", folder.c_str(), nullptr);
        ::_exit(127);
    }
    ::close(input);
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

AttemptEnd end_in(Runs& runs, AttemptId attempt) {
    const std::string state = read_text(run_folder(runs.folder(), attempt) + "/state");
    const auto end = parse_end(attempt, state);
    EXPECT_TRUE(end) << end.error().message << "\n" << state;
    return end ? *end : AttemptEnd{};
}

TEST(Shepherd, StartsNothingWhenItsFenceDoesNotReachTheDisk) {
    Runs runs;
    const auto launch = runs.launch(1, "echo x > effects");
    const int status = shepherd(runs, launch, {SYS_fsync, EIO});
    if (status == cannot_forbid) GTEST_SKIP() << "this kernel filters no system calls";
    EXPECT_EQ(status, protocol::exit_fence);
    EXPECT_EQ(read_text(runs.path("runs/1.1/state")), "") << "it counts as never started";
    EXPECT_FALSE(std::filesystem::exists(runs.path("effects")));
    EXPECT_EQ(shepherd(runs, launch, {}), 0) << "and may be started once the disk is well";
    EXPECT_TRUE(end_in(runs, launch.attempt).succeeded());
}

TEST(Shepherd, PassesTheFenceWhereFoldersCannotBeSynchronised) {
    Runs runs;
    const auto launch = runs.launch(1, "true");
    const int status = shepherd(runs, launch, {SYS_fsync, EINVAL});
    if (status == cannot_forbid) GTEST_SKIP() << "this kernel filters no system calls";
    EXPECT_TRUE(end_in(runs, launch.attempt).succeeded());
}

TEST(Shepherd, TellsWhatTheMachineRefusesFromWhatTheJobHasWrong) {
    Runs runs;
    const auto crowded = runs.launch(1, "true");
    const int status = shepherd(runs, crowded, {SYS_clone, EAGAIN});
    if (status == cannot_forbid) GTEST_SKIP() << "this kernel filters no system calls";
    EXPECT_EQ(end_in(runs, crowded.attempt).kind, EndKind::not_started);
    EXPECT_TRUE(end_in(runs, crowded.attempt).machine_failed);
    EXPECT_THAT(end_in(runs, crowded.attempt).detail, HasSubstr("refuses another process"));

    const auto unlimited = runs.launch(2, "true");
    shepherd(runs, unlimited, {}, "/no/such/cgroup");
    EXPECT_EQ(end_in(runs, unlimited.attempt).kind, EndKind::not_started);
    EXPECT_TRUE(end_in(runs, unlimited.attempt).machine_failed);

    auto wrong = runs.launch(4, "#!/no/such/interpreter\n");
    shepherd(runs, wrong, {});
    EXPECT_EQ(end_in(runs, wrong.attempt).kind, EndKind::not_started);
    EXPECT_FALSE(end_in(runs, wrong.attempt).machine_failed);
    wrong = runs.launch(5, "true");
    wrong.workdir = "/no/such/folder";
    shepherd(runs, wrong, {});
    EXPECT_FALSE(end_in(runs, wrong.attempt).machine_failed);
    wrong = runs.launch(6, "true");
    wrong.tasks[0].stdout_path = "/dev/null/out";
    shepherd(runs, wrong, {});
    EXPECT_FALSE(end_in(runs, wrong.attempt).machine_failed);
}

TEST(Shepherd, RefusesOutputIntoTheFilesByWhichTheAttemptIsKnown) {
    Runs runs;
    std::uint64_t job = 0;
    for (const std::string name : {"state", "stop", "script", "../%.1/state", "link"}) {
        ++job;
        auto launch = runs.launch(job, "echo x > effects");
        const std::string folder = run_folder(runs.folder(), launch.attempt);
        std::filesystem::create_directories(folder);
        std::filesystem::create_symlink("state", folder + "/link");
        std::string path = folder + "/" + name;
        if (const auto at = path.find('%'); at != path.npos) {
            path.replace(at, 1, std::to_string(job));
        }
        launch.tasks[0].stderr_path = path;
        EXPECT_EQ(shepherd(runs, launch, {}), 0);
        const AttemptEnd end = end_in(runs, launch.attempt);
        EXPECT_EQ(end.kind, EndKind::not_started) << path;
        EXPECT_FALSE(end.machine_failed);
        EXPECT_EQ(end.detail,
                  "the output file is one in which weir itself keeps account of the attempt; "
                  "choose another name than " +
                      path);
    }
    EXPECT_FALSE(std::filesystem::exists(runs.path("effects")));
    EXPECT_EQ(read_text(runs.path("runs/3.1/script")), "echo x > effects");
}

TEST(Shepherd, KeepsItsLockWhateverItClosesAndKeepsItFromItsTasks) {
    // A second shepherd opens and closes the file of the first, inside and outside of it.
    Runs runs;
    const auto launch = runs.launch(1, "echo $$ > pid; while [ ! -e go ]; do sleep 0.01; done");
    ASSERT_TRUE(runs.executor().start(launch));
    runs.pid_in("pid");
    EXPECT_EQ(shepherd(runs, launch, {}), 0) << "another one leaves without a trace";
    EXPECT_EQ(runs.executor().find(launch.attempt).presence, Presence::running);
    ASSERT_EQ(::kill(runs.shepherd_of(1), SIGKILL), 0);
    EXPECT_EQ(runs.wait(launch.attempt).kind, EndKind::lost) << "no task holds the lock";
}

}  // namespace
}  // namespace weir::exec
