// What may go wrong between a hub, its shepherds and their tasks: doubled starts, killed hubs,
// killed shepherds, torn files. The promise under test: at most one run, exactly one end.
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cstdio>
#include <optional>

#include "weir/base/random.hpp"
#include "weir/exec/leftovers.hpp"
#include "weir/exec/local_executor.hpp"
#include "weir/exec/run_fixture.hpp"

namespace weir::exec {
namespace {

using testing::eventually;
using ::testing::HasSubstr;
using testing::process_lives;
using testing::read_text;
using testing::Runs;

std::size_t lines_in(const std::string& path) {
    const std::string text = read_text(path);
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

// Runs `body` in another process, which must leave by itself or be killed by it.
template <class Body>
pid_t in_another_process(Body body) {
    const pid_t child = ::fork();
    if (child == 0) {
        body();
        ::_exit(0);
    }
    return child;
}

TEST(AtMostOnce, HoldsWhenEightThreadsStartTheSameAttemptsAtOnce) {
    Runs runs;
    runs.executor();
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t) {
        threads.emplace_back([&] {
            for (std::uint64_t job = 1; job <= 20; ++job) {
                const auto launch = runs.launch(job, "echo $$ >> effects." + std::to_string(job));
                EXPECT_TRUE(runs.executor().start(launch));
            }
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    for (std::uint64_t job = 1; job <= 20; ++job) {
        EXPECT_TRUE(runs.wait({JobId{job}, 1}).succeeded());
        EXPECT_EQ(lines_in(runs.path("effects." + std::to_string(job))), 1u);
        EXPECT_EQ(runs.reports({JobId{job}, 1}), 1u);
    }
}

TEST(AtMostOnce, HoldsWhenEightProcessesStartTheSameAttemptsAtOnce) {
    Runs runs;  // opened only in the children: a fork with threads would be another experiment
    constexpr std::uint64_t jobs = 25;
    std::vector<pid_t> hubs;
    for (int h = 0; h < 8; ++h) {
        hubs.push_back(in_another_process([&] {
            for (std::uint64_t job = 1; job <= jobs; ++job) {
                const auto launch =
                    runs.launch(job, "echo $$ >> effects." + std::to_string(job) + "; sleep 0.01");
                if (!runs.executor().start(launch)) ::_exit(1);
            }
            for (std::uint64_t job = 1; job <= jobs; ++job) {
                if (!runs.wait({JobId{job}, 1}).succeeded()) ::_exit(2);
            }
        }));
    }
    for (const pid_t hub : hubs) {
        int status = 0;
        ASSERT_EQ(::waitpid(hub, &status, 0), hub);
        EXPECT_EQ(status, 0) << "every hub hears a success, whoever started it";
    }
    for (std::uint64_t job = 1; job <= jobs; ++job) {
        EXPECT_EQ(lines_in(runs.path("effects." + std::to_string(job))), 1u) << job;
    }
}

TEST(AtMostOnce, HoldsForALateStartOfWhatHasEndedOrWasForgotten) {
    Runs runs;
    const auto launch = runs.launch(1, "echo x >> effects");
    EXPECT_TRUE(runs.run(launch).succeeded());
    runs.open();  // a new hub that knows nothing asks again
    EXPECT_TRUE(runs.executor().start(launch));
    EXPECT_TRUE(eventually([&] { return runs.reports(launch.attempt) == 2; }))
        << "the new hub hears the end of the only run";
    runs.executor().forget(launch.attempt);
    runs.open();
    EXPECT_TRUE(runs.executor().start(launch));
    EXPECT_TRUE(eventually([&] { return runs.reports(launch.attempt) == 3; }));
    EXPECT_EQ(lines_in(runs.path("effects")), 1u);
    EXPECT_EQ(read_text(runs.path("out.1.0")), "");
}

TEST(Find, TellsTheStatesOfAnAttemptApartAndRepeatsAnEndUntilItIsForgotten) {
    Runs runs;
    const auto launch =
        runs.launch(1, "echo $$ > pid; while [ ! -e go ]; do sleep 0.01; done; exit 4");
    EXPECT_EQ(runs.executor().find(launch.attempt).presence, Presence::never_started);
    ASSERT_TRUE(runs.executor().start(launch));
    EXPECT_EQ(runs.executor().find(launch.attempt).presence, Presence::running);
    runs.pid_in("pid");
    EXPECT_EQ(runs.executor().find(launch.attempt).presence, Presence::running);
    std::ofstream(runs.path("go")) << "\n";
    EXPECT_EQ(runs.wait(launch.attempt).exit_code, 4);
    for (int again = 0; again < 3; ++again) {
        const Found found = runs.executor().find(launch.attempt);
        ASSERT_EQ(found.presence, Presence::ended);
        EXPECT_EQ(found.end.exit_code, 4);
        EXPECT_EQ(found.end.attempt, launch.attempt);
    }
    runs.executor().forget(launch.attempt);
    EXPECT_NE(runs.executor().find(launch.attempt).presence, Presence::never_started);
    EXPECT_EQ(runs.reports(launch.attempt), 1u);
}

TEST(Recovery, ARunningAttemptSurvivesItsKilledHubAndReportsToTheNext) {
    Runs runs;
    const auto launch =
        runs.launch(1, "echo $$ > pid; while [ ! -e go ]; do sleep 0.01; done; echo done; exit 3");
    const pid_t hub = in_another_process([&] {
        if (!runs.executor().start(launch)) ::_exit(1);
        ::kill(::getpid(), SIGKILL);
    });
    int status = 0;
    ASSERT_EQ(::waitpid(hub, &status, 0), hub);
    ASSERT_TRUE(WIFSIGNALED(status));

    EXPECT_TRUE(process_lives(runs.pid_in("pid")));
    EXPECT_EQ(runs.executor().find(launch.attempt).presence, Presence::running);
    std::ofstream(runs.path("go")) << "\n";
    const auto end = runs.wait(launch.attempt);
    EXPECT_EQ(end.exit_code, 3);
    EXPECT_EQ(runs.out(1), "done\n");
}

TEST(Recovery, AnEndThatNoHubHeardIsFoundByTheNext) {
    Runs runs;
    const auto launch = runs.launch(1, "sleep 0.2; exit 5");
    const pid_t hub = in_another_process([&] {
        if (!runs.executor().start(launch)) ::_exit(1);
        ::kill(::getpid(), SIGKILL);
    });
    ASSERT_EQ(::waitpid(hub, nullptr, 0), hub);
    ASSERT_TRUE(eventually(
        [&] { return read_text(runs.path("runs/1.1/state")).find("sum ") != std::string::npos; }));
    const Found found = runs.executor().find(launch.attempt);
    ASSERT_EQ(found.presence, Presence::ended);
    EXPECT_EQ(found.end.exit_code, 5);
}

TEST(Recovery, ANewHubCanStopWhatTheOldOneStarted) {
    Runs runs;
    const auto launch = runs.launch(1, "echo $$ > pid; sleep 1000");
    ASSERT_TRUE(runs.executor().start(launch));
    const pid_t pid = runs.pid_in("pid");
    runs.open();
    EXPECT_EQ(runs.executor().find(launch.attempt).presence, Presence::running);
    ASSERT_TRUE(runs.executor().stop(launch.attempt, {seconds(20)}));
    EXPECT_EQ(runs.wait(launch.attempt).kind, EndKind::stopped);
    EXPECT_FALSE(process_lives(pid));
}

TEST(Recovery, AKilledShepherdIsNoticedAndLeavesNoOrphans) {
    Runs runs;
    const auto launch = runs.launch(1,
                                    "setsid sleep 1000 & echo $! > hidden\n"
                                    "env -i sleep 1000 & echo $! > wiped\n"
                                    "echo $$ > leader; sleep 1000\n");
    ASSERT_TRUE(runs.executor().start(launch));
    std::vector<pid_t> pids;
    for (const char* const name : {"leader", "hidden", "wiped"})
        pids.push_back(runs.pid_in(name));
    ASSERT_EQ(::kill(runs.shepherd_of(1), SIGKILL), 0);
    const auto end = runs.wait(launch.attempt);
    EXPECT_EQ(end.kind, EndKind::lost);
    EXPECT_THAT(end.detail, HasSubstr("its shepherd is gone"));
    for (const pid_t pid : pids)
        EXPECT_TRUE(eventually([&] { return !process_lives(pid); }));
    EXPECT_EQ(runs.executor().find(launch.attempt).presence, Presence::lost);
}

TEST(Recovery, AShepherdKilledWhileNoHubWasThereIsFoundLostAndCleanedUp) {
    Runs runs;
    const auto launch =
        runs.launch(1, "setsid sleep 1000 & echo $! > hidden; echo $$ > leader; sleep 1000");
    const pid_t hub = in_another_process([&] {
        if (!runs.executor().start(launch)) ::_exit(1);
        ::kill(::getpid(), SIGKILL);
    });
    ASSERT_EQ(::waitpid(hub, nullptr, 0), hub);
    const pid_t hidden = runs.pid_in("hidden");
    const pid_t leader = runs.pid_in("leader");
    ASSERT_EQ(::kill(runs.shepherd_of(1), SIGKILL), 0);
    EXPECT_TRUE(eventually([&] { return !process_lives(leader); })) << "it goes with its shepherd";
    const Found found = runs.executor().find(launch.attempt);
    EXPECT_EQ(found.presence, Presence::lost);
    EXPECT_TRUE(eventually([&] { return !process_lives(hidden); }));
    ASSERT_TRUE(runs.executor().start(launch)) << "asked again, it does not run again";
    EXPECT_EQ(runs.wait(launch.attempt).kind, EndKind::lost);
}

TEST(Recovery, AStrangerWithTheSameWordsInItsCommandLineIsLeftAlone) {
    Runs runs;
    const pid_t stranger = ::fork();
    if (stranger == 0) {
        const std::string other = "WEIR_RUN_DIR=" + runs.path("runs/1.10");
        ::execle("/bin/sleep",
                 "sleep",
                 "1000",
                 nullptr,
                 std::vector<const char*>{other.c_str(), nullptr}.data());
        ::_exit(127);
    }
    ASSERT_TRUE(eventually([&] {
        return read_text("/proc/" + std::to_string(stranger) + "/environ").find("1.10") !=
               std::string::npos;
    }));
    EXPECT_EQ(kill_leftovers(runs.path("runs/1.1"), true), 0);
    EXPECT_TRUE(process_lives(stranger));
    EXPECT_EQ(kill_leftovers(runs.path("runs/1.10"), false), 1);
    EXPECT_EQ(::waitpid(stranger, nullptr, 0), stranger);
}

TEST(Recovery, ATornEndIsLostAndNeverASuccess) {
    Runs runs;
    const auto launch = runs.launch(1, "exit 0");
    EXPECT_TRUE(runs.run(launch).succeeded());
    const std::string end_file = runs.path("runs/1.1/state");
    const std::string whole = read_text(end_file);
    std::ofstream(end_file, std::ios::trunc) << whole.substr(0, whole.size() - 9);
    // The shepherd may still hold its lock while it waits for the disk.
    EXPECT_TRUE(eventually(
        [&] { return runs.executor().find(launch.attempt).presence == Presence::lost; }));
    EXPECT_THAT(runs.executor().find(launch.attempt).end.detail, HasSubstr("damaged"));
}

TEST(Recovery, AShepherdThatCannotBeginIsReportedAsNotStarted) {
    Runs runs;
    const std::string broken = runs.path("broken-shepherd");
    std::ofstream(broken) << "#!/bin/sh\nexit 3\n";
    std::filesystem::permissions(broken, std::filesystem::perms::owner_all);
    runs.open({}, broken);
    const auto launch = runs.launch(1, "echo x > effects");
    const auto end = runs.run(launch);
    EXPECT_EQ(end.kind, EndKind::not_started);
    EXPECT_EQ(end.detail, "its run folder cannot be entered");
    EXPECT_TRUE(end.machine_failed);
    EXPECT_FALSE(std::filesystem::exists(runs.path("effects")));

    // A hub that could not write it down asks again, or starts it again.
    for (int again = 0; again < 2; ++again) {
        EXPECT_TRUE(runs.executor().start(launch));
        const Found found = runs.executor().find(launch.attempt);
        ASSERT_EQ(found.presence, Presence::ended);
        EXPECT_EQ(found.end.kind, EndKind::not_started);
        EXPECT_EQ(found.end.detail, end.detail);
        EXPECT_TRUE(found.end.machine_failed);
    }
    EXPECT_EQ(runs.reports(launch.attempt), 1u);
    runs.executor().forget(launch.attempt);
    EXPECT_TRUE(eventually(
        [&] { return runs.executor().find(launch.attempt).presence == Presence::never_started; }));
}

// While one lives, this process can open nothing.
class NoDescriptors {
public:
    NoDescriptors() {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        const rlimit none{0, before_.rlim_max};
        ::setrlimit(RLIMIT_NOFILE, &none);
    }
    ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
    NoDescriptors(const NoDescriptors&) = delete;
    NoDescriptors& operator=(const NoDescriptors&) = delete;

private:
    rlimit before_{};
};

constexpr auto some_rescans = std::chrono::milliseconds(350);

TEST(Recovery, AHubWithoutDescriptorsTakesNoLivingAttemptForLost) {
    Runs runs;
    const auto launch =
        runs.launch(1, "echo $$ > pid; while [ ! -e go ]; do sleep 0.01; done; exit 3");
    ASSERT_TRUE(runs.executor().start(launch));
    const pid_t pid = runs.pid_in("pid");
    for (const bool adopted : {false, true}) {
        runs.open();  // another hub, which knows nothing
        if (adopted) {
            EXPECT_EQ(runs.executor().find(launch.attempt).presence, Presence::running);
        }
        const NoDescriptors none;
        EXPECT_EQ(runs.executor().find(launch.attempt).presence, Presence::running);
        std::this_thread::sleep_for(some_rescans);
        EXPECT_EQ(runs.executor().find(launch.attempt).presence, Presence::running);
        EXPECT_EQ(runs.reports(launch.attempt), 0u);
    }
    EXPECT_TRUE(process_lives(pid));
    std::ofstream(runs.path("go")) << "\n";
    EXPECT_EQ(runs.wait(launch.attempt).exit_code, 3);
}

TEST(Recovery, ALossIsToldAndCleanedUpOnceItCanBeSeen) {
    Runs runs;
    const auto launch =
        runs.launch(1, "env -i setsid sleep 1000 & setsid sleep 1000 & echo $! > pid; sleep 1000");
    ASSERT_TRUE(runs.executor().start(launch));
    const pid_t left = runs.pid_in("pid");
    const pid_t keeper = runs.shepherd_of(1);
    {
        const NoDescriptors none;
        ASSERT_EQ(::kill(keeper, SIGKILL), 0);
        std::this_thread::sleep_for(some_rescans);
        EXPECT_EQ(kill_leftovers(runs.path("runs/1.1"), true), std::nullopt);
        EXPECT_EQ(runs.reports(launch.attempt), 0u);
        EXPECT_EQ(runs.executor().find(launch.attempt).presence, Presence::running);
    }
    EXPECT_EQ(runs.wait(launch.attempt).kind, EndKind::lost);
    EXPECT_TRUE(eventually([&] { return !process_lives(left); }));
}

TEST(Recovery, WhatCouldNotBeLookedAtAndNeverBeganMayStillBeStarted) {
    Runs runs;
    const auto launch = runs.launch(1, "echo x >> effects");
    runs.executor();
    {
        const NoDescriptors none;
        EXPECT_EQ(runs.executor().find(launch.attempt).presence, Presence::running);
        EXPECT_FALSE(runs.executor().start({}));
    }
    EXPECT_TRUE(eventually(
        [&] { return runs.executor().find(launch.attempt).presence == Presence::never_started; }));
    EXPECT_EQ(runs.reports(launch.attempt), 0u);
    EXPECT_TRUE(runs.run(launch).succeeded());
    EXPECT_EQ(lines_in(runs.path("effects")), 1u);
}

TEST(Recovery, WhatCannotBeReadIsNeverStartedAgain) {
    Runs runs;
    std::filesystem::create_directories(runs.path("runs/1.1/state"));
    const auto launch = runs.launch(1, "echo x > effects");
    EXPECT_EQ(runs.executor().find(launch.attempt).presence, Presence::lost);
    EXPECT_EQ(runs.run(launch).kind, EndKind::lost);
    EXPECT_FALSE(std::filesystem::exists(runs.path("effects")));
}

// A hub is killed at random moments under load, shepherds too; in the end every attempt has run
// at most once, has exactly one answer, and what says "success" did run.
TEST(Recovery, LosesNothingAndRunsNothingTwiceUnderRandomKills) {
    const std::uint64_t seed = 20261124;
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    Runs runs;
    constexpr std::uint64_t jobs = 120;
    const auto launch_of = [&](std::uint64_t job) {
        return runs.launch(job, "echo $$ >> effects." + std::to_string(job) + "; sleep 0.02");
    };
    for (int life = 0; life < 12; ++life) {
        const pid_t hub = in_another_process([&] {
            LocalExecutor& executor = runs.executor();
            for (std::uint64_t job = 1; job <= jobs; ++job) {
                if (executor.find({JobId{job}, 1}).presence != Presence::never_started) continue;
                if (!executor.start(launch_of(job))) ::_exit(1);
                ::usleep(500);
            }
            ::pause();
        });
        ::usleep(static_cast<useconds_t>(random.between(1000, 60000)));
        if (random.chance(0.5)) {
            const auto job = static_cast<std::uint64_t>(random.between(1, jobs));
            const std::string started =
                read_text(runs.path("runs/" + std::to_string(job) + ".1/state"));
            const pid_t shepherd = started.size() > 9 ? std::atoi(started.c_str() + 9) : 0;
            std::string name = read_text("/proc/" + std::to_string(shepherd) + "/comm");
            if (shepherd > 1 && name == "weir-shepherd\n") ::kill(shepherd, SIGKILL);
        }
        ASSERT_EQ(::kill(hub, SIGKILL), 0);
        ASSERT_EQ(::waitpid(hub, nullptr, 0), hub);
    }
    std::size_t succeeded = 0;
    for (std::uint64_t job = 1; job <= jobs; ++job) {
        const AttemptId attempt{JobId{job}, 1};
        Found found = runs.executor().find(attempt);
        if (found.presence == Presence::never_started) {
            ASSERT_TRUE(runs.executor().start(launch_of(job)));
            found.presence = Presence::running;
        }
        if (found.presence == Presence::running) found.end = runs.wait(attempt);
        const std::size_t effects = lines_in(runs.path("effects." + std::to_string(job)));
        EXPECT_LE(effects, 1u) << job;
        if (found.end.succeeded()) {
            ++succeeded;
            EXPECT_EQ(effects, 1u) << job;
        } else {
            EXPECT_EQ(found.end.kind, EndKind::lost) << job << ": " << found.end.detail;
        }
        EXPECT_LE(runs.reports(attempt), 1u);
    }
    EXPECT_GE(succeeded, jobs - 12);
}

}  // namespace
}  // namespace weir::exec
