// Real processes under real shepherds. What may go wrong between them is in recovery_test.cpp.
#include "weir/exec/local_executor.hpp"

#include <gmock/gmock.h>
#include <sys/resource.h>

#include "weir/exec/run_fixture.hpp"

namespace weir::exec {
namespace {

using testing::eventually;
using ::testing::HasSubstr;
using testing::process_lives;
using testing::read_text;
using testing::Runs;

TEST(LocalExecutor, RunsAScriptAndTellsItsExitCodeAndWhatItUsed) {
    Runs runs;
    const auto good = runs.run(runs.launch(1, "echo hello; pwd; echo oops >&2"));
    EXPECT_TRUE(good.succeeded()) << good.detail;
    EXPECT_EQ(runs.out(1), "hello\n" + runs.folder() + "\n");
    EXPECT_EQ(runs.err(1), "oops\n");
    EXPECT_GT(good.max_rss, kibibytes(100));
    EXPECT_GE(good.ended_at, good.started_at);
    EXPECT_GT(good.started_at, at_seconds(1'000'000'000));

    const auto bad =
        runs.run(runs.launch(2, "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; exit 7"));
    EXPECT_EQ(bad.kind, EndKind::exited);
    EXPECT_EQ(bad.exit_code, 7);
    EXPECT_GT(bad.cpu, Duration{0});

    const auto killed = runs.run(runs.launch(3, "kill -SEGV $$"));
    EXPECT_EQ(killed.kind, EndKind::exited);
    EXPECT_EQ(killed.signal, SIGSEGV);
    EXPECT_FALSE(killed.succeeded());
}

TEST(LocalExecutor, HonoursTheInterpreterThatAScriptNames) {
    Runs runs;
    EXPECT_TRUE(runs.run(runs.launch(1, "#!/bin/cat\nas it stands\n")).succeeded());
    EXPECT_EQ(runs.out(1), "#!/bin/cat\nas it stands\n");
    EXPECT_EQ(runs.run(runs.launch(2, "#! /bin/sh -e \nfalse\necho unreachable\n")).exit_code, 1);
    EXPECT_EQ(runs.out(2), "");
    EXPECT_TRUE(runs.run(runs.launch(3, "#!/usr/bin/env sh\necho $0")).succeeded());
    EXPECT_EQ(runs.out(3), runs.path("runs/3.1/script\n"));
}

TEST(LocalExecutor, SaysInASentenceWhyACommandCouldNotBeStarted) {
    Runs runs;
    auto homeless = runs.launch(1, "true");
    homeless.workdir = "/no/such/folder";
    const auto no_folder = runs.run(homeless);
    EXPECT_EQ(no_folder.kind, EndKind::not_started);
    EXPECT_EQ(
        no_folder.detail,
        "the working directory cannot be entered: /no/such/folder: No such file or directory");
    EXPECT_FALSE(no_folder.succeeded());

    const auto no_interpreter = runs.run(runs.launch(2, "#!/opt/none/python9 -u\nprint(1)\n", 3));
    EXPECT_EQ(no_interpreter.kind, EndKind::not_started);
    EXPECT_EQ(no_interpreter.detail,
              "the script names an interpreter that cannot be started: "
              "/opt/none/python9: No such file or directory");

    auto mute = runs.launch(3, "true");
    mute.tasks[0].stdout_path = "/dev/null/out";
    const auto no_output = runs.run(mute);
    EXPECT_EQ(no_output.kind, EndKind::not_started);
    EXPECT_THAT(no_output.detail, HasSubstr("/dev/null/out: Not a directory"));
}

TEST(LocalExecutor, GivesATaskACleanSlate) {
    // Whatever the hub ignores, blocks or has open must not reach the task.
    ::signal(SIGPIPE, SIG_IGN);
    ::setenv("SECRET_OF_THE_HUB", "1", 1);
    const int open_in_hub = ::dup(1);
    Runs runs;
    const auto end = runs.run(runs.launch(1,
                                          "env | grep -v -e ^PWD= -e ^OLDPWD= -e ^_= | sort\n"
                                          "ls /proc/self/fd | wc -l\n"
                                          "readlink /proc/self/fd/0\n"
                                          "grep -E 'Sig(Blk|Ign)' /proc/self/status\n"
                                          "ps -o sid= -p $$ | tr -d ' ' > sid; echo $$ > pid\n"));
    ::close(open_in_hub);
    ::unsetenv("SECRET_OF_THE_HUB");
    ASSERT_TRUE(end.succeeded()) << runs.err(1);
    // ls itself has the folder open as its fourth descriptor.
    EXPECT_EQ(runs.out(1),
              "PATH=/usr/bin:/bin\nRANK=0\nWEIR_RUN_DIR=" + runs.path("runs/1.1") +
                  "\n4\n/dev/null\nSigBlk:\t0000000000000000\n"
                  "SigIgn:\t0000000000000000\n");
    EXPECT_EQ(read_text(runs.path("sid")), read_text(runs.path("pid"))) << "no session of its own";
}

TEST(LocalExecutor, GivesATaskTheDescriptorLimitThatTheHubItselfWasGiven) {
    rlimit given{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &given), 0);
    if (given.rlim_cur == RLIM_INFINITY) GTEST_SKIP() << "no limit to tell apart";
    // As a hub does at its start; lowered here, where no more may be had.
    const rlimit own{given.rlim_cur == given.rlim_max ? given.rlim_cur - 1 : given.rlim_max,
                     given.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &own), 0);
    Runs runs;
    const auto end = runs.run(runs.launch(1, "ulimit -Sn; ulimit -Hn"));
    ::setrlimit(RLIMIT_NOFILE, &given);
    EXPECT_TRUE(end.succeeded());
    EXPECT_EQ(runs.out(1),
              std::to_string(given.rlim_cur) + "\n" + std::to_string(given.rlim_max) + "\n");
}

TEST(LocalExecutor, AppendsToAFileThatSeveralAttemptsWrite) {
    Runs runs;
    auto first = runs.launch(1, "echo one; while [ ! -e go ]; do sleep 0.01; done; echo three");
    auto second = runs.launch(2, "echo two");
    second.tasks[0].stdout_path = first.tasks[0].stdout_path;
    ASSERT_TRUE(runs.executor().start(first));
    EXPECT_TRUE(eventually([&] { return runs.out(1) == "one\n"; }));
    EXPECT_TRUE(runs.run(second).succeeded());
    std::ofstream(runs.path("go")) << "\n";
    EXPECT_TRUE(runs.wait(first.attempt).succeeded());
    EXPECT_EQ(runs.out(1), "one\ntwo\nthree\n");
}

TEST(LocalExecutor, SaysThatAJobUsedMoreMemoryThanItAskedForWhereNothingForbidsIt) {
    Runs runs;
    auto greedy = runs.launch(1, "true");
    greedy.memory_limit = kibibytes(4);
    const auto end = runs.run(greedy);
    EXPECT_TRUE(end.succeeded());
    EXPECT_THAT(end.detail,
                HasSubstr("MiB where 1MiB were asked for in all; memory limits are not"));
    auto modest = runs.launch(2, "true");
    modest.memory_limit = gibibytes(64);
    EXPECT_EQ(runs.run(modest).detail, "");
}

TEST(LocalExecutor, MakesTheFoldersOfOutputFiles) {
    Runs runs;
    auto launch = runs.launch(1, "echo out; echo err >&2");
    launch.tasks[0].stdout_path = runs.path("logs/of/job/out");
    launch.tasks[0].stderr_path = runs.path("logs/of/err");
    EXPECT_TRUE(runs.run(launch).succeeded());
    EXPECT_EQ(read_text(runs.path("logs/of/job/out")), "out\n");
    EXPECT_EQ(read_text(runs.path("logs/of/err")), "err\n");
}

TEST(LocalExecutor, EndsTheWholeGangWhenOneRankFails) {
    Runs runs;
    const auto end = runs.run(runs.launch(
        1, "echo $$ > pid.$RANK\nif [ $RANK = 2 ]; then sleep 0.2; exit 9; fi\nsleep 1000\n", 4));
    EXPECT_EQ(end.kind, EndKind::exited);
    EXPECT_EQ(end.exit_code, 9);
    EXPECT_EQ(end.rank, 2u);
    EXPECT_EQ(end.detail, "rank 2 failed, so the other 3 of the gang were ended");
    for (const char* const rank : {"0", "1", "3"}) {
        EXPECT_FALSE(process_lives(runs.pid_in(std::string("pid.") + rank)));
    }
}

TEST(LocalExecutor, WaitsForEveryRankOfAGangThatSucceeds) {
    Runs runs;
    const auto end = runs.run(runs.launch(1, "sleep 0.$RANK; echo rank $RANK", 4));
    EXPECT_TRUE(end.succeeded());
    for (std::uint32_t rank = 0; rank < 4; ++rank) {
        EXPECT_EQ(runs.out(1, rank), "rank " + std::to_string(rank) + "\n");
    }
}

TEST(LocalExecutor, EnforcesTheTimeLimitOnTheWholeTreeHoweverItHides) {
    Runs runs;
    auto stubborn = runs.launch(1,
                                "trap '' TERM\n"
                                "setsid sh -c 'trap \"\" TERM; echo $$ > hidden; sleep 1000' &\n"
                                "(sh -c 'echo $$ > orphan; exec sleep 1000' &)\n"
                                "echo $$ > leader\nwhile :; do sleep 1000; done\n");
    stubborn.limit = Duration{400};
    stubborn.grace = Duration{200};
    const auto end = runs.run(stubborn);
    EXPECT_EQ(end.kind, EndKind::time_limit);
    EXPECT_FALSE(end.succeeded());
    for (const char* const name : {"leader", "hidden", "orphan"}) {
        EXPECT_FALSE(process_lives(runs.pid_in(name))) << name;
    }
}

TEST(LocalExecutor, LetsATaskCleanUpWithinTheGrace) {
    Runs runs;
    auto polite = runs.launch(1, "trap 'echo saved; exit 0' TERM\nsleep 1000 & wait\n");
    polite.limit = Duration{300};
    EXPECT_EQ(runs.run(polite).kind, EndKind::time_limit);
    EXPECT_EQ(runs.out(1), "saved\n");
}

TEST(LocalExecutor, LetsAProgramSaveWithinTheGraceAlthoughItsShellIsGone) {
    // sh itself dies of the polite signal at once; what it started has caught it.
    const auto saver = [](const std::string& ready) {
        return "sh -c 'trap \"sleep 0.3; echo saved; exit 0\" TERM; echo > " + ready +
               "\nwhile :; do sleep 0.01; done'\necho never\n";
    };
    Runs runs;
    auto limited = runs.launch(1, saver("begun"));
    limited.limit = seconds(1);
    const auto end = runs.run(limited);
    EXPECT_EQ(end.kind, EndKind::time_limit);
    EXPECT_EQ(end.signal, SIGTERM) << "the end is that of the shell";
    EXPECT_EQ(runs.out(1), "saved\n");

    const auto cancelled = runs.launch(2, saver("ready"));
    ASSERT_TRUE(runs.executor().start(cancelled));
    EXPECT_TRUE(eventually([&] { return std::filesystem::exists(runs.path("ready")); }));
    ASSERT_TRUE(runs.executor().stop(cancelled.attempt, {seconds(1000)}));
    EXPECT_EQ(runs.wait(cancelled.attempt).kind, EndKind::stopped) << "as soon as it has saved";
    EXPECT_EQ(runs.out(2), "saved\n");

    const auto gang = runs.launch(3,
                                  "if [ $RANK = 1 ]; then\n"
                                  "while [ ! -e set ]; do sleep 0.01; done; exit 9; fi\n" +
                                      saver("set"),
                                  2);
    EXPECT_EQ(runs.run(gang).exit_code, 9);
    EXPECT_EQ(runs.out(3), "saved\n");
}

TEST(LocalExecutor, KillsWhatOutlastsItsShellWhenTheGraceIsOver) {
    Runs runs;
    auto deaf = runs.launch(1,
                            "sh -c 'trap \"\" TERM; echo $$ > pid; while :; do sleep 1000; done'\n"
                            "echo never\n");
    deaf.grace = Duration{200};
    ASSERT_TRUE(runs.executor().start(deaf));
    const pid_t pid = runs.pid_in("pid");
    ASSERT_TRUE(runs.executor().stop(deaf.attempt, {deaf.grace}));
    EXPECT_EQ(runs.wait(deaf.attempt).signal, SIGTERM);
    EXPECT_FALSE(process_lives(pid));
    EXPECT_EQ(runs.out(1), "");
}

TEST(LocalExecutor, ReachesAStoppedProcessWithThePoliteSignal) {
    Runs runs;
    auto frozen =
        runs.launch(1, "trap 'echo thawed; exit 0' TERM\nkill -STOP $$\nsleep 1000 & wait\n");
    frozen.limit = Duration{300};
    EXPECT_EQ(runs.run(frozen).kind, EndKind::time_limit);
    EXPECT_EQ(runs.out(1), "thawed\n");
}

TEST(LocalExecutor, StopsWhatIsAskedToStop) {
    Runs runs;
    const auto launch = runs.launch(1, "echo $$ > pid; sleep 1000");
    ASSERT_TRUE(runs.executor().start(launch));
    const pid_t pid = runs.pid_in("pid");
    ASSERT_TRUE(runs.executor().stop(launch.attempt, {seconds(20)}));
    EXPECT_EQ(runs.wait(launch.attempt).kind, EndKind::stopped);
    EXPECT_FALSE(process_lives(pid));

    const auto deaf = runs.launch(2, "trap '' TERM; echo $$ > pid2; while :; do sleep 1000; done");
    ASSERT_TRUE(runs.executor().start(deaf));
    const pid_t deaf_pid = runs.pid_in("pid2");
    ASSERT_TRUE(runs.executor().stop(deaf.attempt, {seconds(1000)}));
    ASSERT_TRUE(runs.executor().stop(deaf.attempt, {Duration{50}}));  // less patience now
    EXPECT_EQ(runs.wait(deaf.attempt).kind, EndKind::stopped);
    EXPECT_FALSE(process_lives(deaf_pid));

    EXPECT_EQ(runs.executor().stop({JobId{77}, 1}, {seconds(1)}).error().code, Code::not_found);
}

// The shell that weir starts dies of the signal; the program below it saves.
TEST(LocalExecutor, LetsAnAttemptSaveBeforeItIsStopped) {
    Runs runs;
    const std::string program =
        "sh -c 'trap \"echo saved; exit 0\" USR1; echo $$ > ready; while :; do sleep 0.01; done'\n"
        "echo never\n";
    const auto saving = runs.launch(1, program);
    ASSERT_TRUE(runs.executor().start(saving));
    runs.pid_in("ready");
    const Stop how{.grace = seconds(1000), .save_signal = SIGUSR1, .save_time = seconds(1000)};
    ASSERT_TRUE(runs.executor().stop(saving.attempt, how));
    EXPECT_EQ(runs.wait(saving.attempt).kind, EndKind::stopped) << "as soon as it has saved";
    EXPECT_EQ(runs.out(1), "saved\n");

    // Who saves for too long is stopped, and who saves and goes on as well.
    const auto going_on =
        runs.launch(2,
                    "trap 'echo saved' USR1\ntrap 'echo stopped; exit 0' TERM\necho $$ > on\n"
                    "while :; do sleep 0.01; done\n");
    ASSERT_TRUE(runs.executor().start(going_on));
    runs.pid_in("on");
    ASSERT_TRUE(runs.executor().stop(
        going_on.attempt,
        {.grace = seconds(1000), .save_signal = SIGUSR1, .save_time = Duration{300}}));
    EXPECT_EQ(runs.wait(going_on.attempt).kind, EndKind::stopped);
    EXPECT_EQ(runs.out(2), "saved\nstopped\n");
}

TEST(LocalExecutor, StopsAtAnyMomentOfAStartWithExactlyOneEnd) {
    Runs runs;
    for (std::uint64_t job = 1; job <= 40; ++job) {
        const auto launch = runs.launch(job, "sleep 1000");
        ASSERT_TRUE(runs.executor().start(launch));
        std::this_thread::sleep_for(std::chrono::microseconds(job * 97));
        ASSERT_TRUE(runs.executor().stop(launch.attempt, {seconds(20)}));
        EXPECT_EQ(runs.wait(launch.attempt).kind, EndKind::stopped);
    }
    for (std::uint64_t job = 1; job <= 40; ++job) {
        EXPECT_EQ(runs.reports({JobId{job}, 1}), 1u) << job;
    }
}

TEST(LocalExecutor, CutsOutputAtItsLimitAndSaysSoWhileTheTaskGoesOn) {
    Runs runs;
    auto chatty = runs.launch(1, "yes 0123456789 | head -c 3000000; echo finished >&2");
    chatty.output_limit = kibibytes(64);
    const auto end = runs.run(chatty);
    EXPECT_TRUE(end.succeeded()) << end.detail;
    EXPECT_TRUE(end.output_cut);
    const std::string kept = runs.out(1);
    const std::string notice = "\n[weir: output cut at 64KiB; the rest is not kept]\n";
    EXPECT_EQ(kept.size(), 65536 + notice.size());
    EXPECT_TRUE(kept.size() > notice.size() &&
                kept.compare(kept.size() - notice.size(), notice.size(), notice) == 0);
    EXPECT_EQ(kept.substr(0, 22), "0123456789\n0123456789\n");
    EXPECT_EQ(runs.err(1), "finished\n");

    auto exact = runs.launch(2, "head -c 65536 /dev/zero");
    exact.output_limit = kibibytes(64);
    EXPECT_FALSE(runs.run(exact).output_cut);
    EXPECT_EQ(runs.out(2).size(), 65536u);
}

TEST(LocalExecutor, KeepsTheOrderOfLinesThatShareAFile) {
    Runs runs;
    auto both = runs.launch(1, "for i in 1 2 3 4 5; do echo out $i; echo err $i >&2; done");
    both.tasks[0].stderr_path = both.tasks[0].stdout_path;
    EXPECT_TRUE(runs.run(both).succeeded());
    EXPECT_EQ(runs.out(1),
              "out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\nout 4\nerr 4\nout 5\nerr 5\n");
}

TEST(LocalExecutor, KeepsEveryByteOfALargeOutput) {
    Runs runs;
    EXPECT_TRUE(runs.run(runs.launch(1, "seq 1 200000 | tee /dev/stderr", 2)).succeeded());
    std::string wanted;
    for (int i = 1; i <= 200000; ++i)
        wanted += std::to_string(i) + "\n";
    for (std::uint32_t rank = 0; rank < 2; ++rank) {
        EXPECT_TRUE(runs.out(1, rank) == wanted);
        EXPECT_TRUE(runs.err(1, rank) == wanted);
    }
}

TEST(LocalExecutor, DoesNotLetBackgroundProcessesOutliveTheirJob) {
    Runs runs;
    const auto end = runs.run(runs.launch(
        1, "setsid sleep 1000 & echo $! > one\nnohup sleep 1000 & echo $! > two\nexit 0"));
    EXPECT_TRUE(end.succeeded());
    EXPECT_FALSE(process_lives(runs.pid_in("one")));
    EXPECT_FALSE(process_lives(runs.pid_in("two")));
}

TEST(LocalExecutor, WorksInAFolderTooDeepForASocketAddress) {
    Runs runs(std::string(120, 'd') + "/" + std::string(120, 'e'));
    EXPECT_TRUE(runs.run(runs.launch(1, "echo deep")).succeeded());
    EXPECT_EQ(runs.out(1), "deep\n");
}

TEST(LocalExecutor, RefusesToOpenWithoutItsShepherd) {
    Runs runs;
    LocalExecutor::Options options;
    options.data_dir = runs.folder();
    options.shepherd = "/no/such/weir-shepherd";
    const auto opened = LocalExecutor::open(options, [](const AttemptEnd&) {});
    ASSERT_FALSE(opened);
    EXPECT_THAT(opened.error().message, HasSubstr("/no/such/weir-shepherd"));
    options.data_dir = "relative";
    EXPECT_EQ(LocalExecutor::open(options, [](const AttemptEnd&) {}).error().code, Code::invalid);
}

}  // namespace
}  // namespace weir::exec
