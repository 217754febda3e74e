// Datasets on a running hub: what is copied before a job starts, what jobs make, what is forgotten.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "weir/base/log.hpp"
#include "weir/hub/hub_world.hpp"

namespace weir::hub {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::int64_t gb = 1'000'000'000;

// Nodes at "local" and, fewer, at "far", where the data is.
fleet::Fleet two_sites() {
    fleet::Fleet fleet = small_fleet(4);
    fleet.sites.push_back({.name = "far", .executor = "local"});
    fleet.sites[1].storage.datasets = {{"era5", Bytes{100 * gb}}, {"wind", Bytes{50 * gb}}};
    fleet::Pool pool = fleet.pools[0];
    pool.name = "other";
    pool.site = "far";
    pool.chip = "h200";
    pool.nodes = 1;
    fleet.pools.push_back(pool);
    fleet.links = {{.between = {"far", "local"}, .bytes_per_s = gb, .latency = seconds(1)}};
    return fleet;
}

Submission reader(const std::string& name, const std::string& dataset, const char* site = "local") {
    Submission submission = submission_of(name);
    submission.spec.data_in = {{dataset, "data/in"}};
    submission.spec.sites = {site};
    return submission;
}

Submission maker(const std::string& name, const std::string& dataset) {
    Submission submission = submission_of(name);
    submission.spec.data_out = {{"out", dataset, std::nullopt}};
    submission.spec.sites = {"local"};
    return submission;
}

class Data : public HubStory {
protected:
    Data() : HubStory(two_sites()) {
        log::open("/dev/null", log::Level::error);
        world.mover->files = {{"era5", "far"}, {"wind", "far"}};
        open();
    }
    ~Data() override { log::open("", log::Level::warn); }

    // As a process that was killed and started again.
    void crash_and_open() {
        world.mover->crash();
        open();
    }
    std::string refused(const Submission& submission) {
        const auto answer = world.submit(submission);
        return answer ? "accepted" : answer.error().message;
    }
    ExplainView explain(const std::string& job) { return *world.keeper->explain(job); }
    DatasetView dataset(const std::string& name) {
        for (const DatasetView& view : world.keeper->datasets())
            if (view.name == name) return view;
        return {};
    }
    // "local, far (coming)"
    std::string places(const std::string& name) {
        std::string text;
        for (const DatasetPlaceView& place : dataset(name).places) {
            text += (text.empty() ? "" : ", ") + place.site;
            if (!place.is_there) text += " (coming)";
        }
        return text;
    }
};

TEST_F(Data, IsCopiedToWhereAJobIsToRunAndThenTheJobStarts) {
    ASSERT_TRUE(world.submit(reader("a", "era5")));
    EXPECT_EQ(world.state("a"), "held");
    EXPECT_THAT(world.mover->begun, ElementsAre(exec::Move{"era5", "local", "far", ""}));
    EXPECT_EQ(places("era5"), "local (coming), far");
    EXPECT_THAT(
        world.view("a").reason,
        HasSubstr("waits for era5 (93.1GiB), which is copied from far to local and expected "
                  "there at 1970-01-12T13:48:2"));
    EXPECT_EQ(explain("a").cause, "waits_for_data");
    EXPECT_THAT(explain("a").sentence, HasSubstr("is being copied to local and there in 1m 41s"));
    world.moved("era5", "local");
    EXPECT_EQ(world.state("a"), "running");
    EXPECT_EQ(places("era5"), "local, far");
    const exec::Launch& launch = world.executor.attempts.begin()->second.launch;
    EXPECT_THAT(launch.links, ElementsAre(exec::Link{"/scratch/data/in", "/storage/local/era5"}));
    EXPECT_EQ(launch.env.at("WEIR_DATA"), "/storage/local");
    // Once it is there it is there for others, and where it lies nothing is copied.
    ASSERT_TRUE(world.submit(reader("b", "era5")));
    ASSERT_TRUE(world.submit(reader("c", "era5", "far")));
    EXPECT_EQ(world.state("b"), "running");
    EXPECT_EQ(world.state("c"), "running");
    EXPECT_EQ(world.mover->begun.size(), 1U);
}

TEST_F(Data, IsRefusedWithWhatWasProbablyMeantWhereNobodyHasIt) {
    EXPECT_THAT(refused(reader("a", "era6")), HasSubstr("did you mean era5?"));
    EXPECT_THAT(refused(reader("a", "something-else")), HasSubstr("there are era5, wind"));
    world.mover->files.clear();
    open();
    EXPECT_THAT(refused(reader("a", "era5")),
                HasSubstr("the fleet file has dataset era5 at site far, but there was nothing at "
                          "/storage/far/era5 when this hub was started; put it there"));
    world.mover->files = {{"era5", "far"}};
    open();
    EXPECT_TRUE(world.submit(reader("b", "era5")));
    EXPECT_EQ(places("era5"), "local (coming), far");
    // Its files were taken away while it was on its way.
    world.mover->files.clear();
    crash_and_open();
    EXPECT_EQ(places("era5"), "");
    EXPECT_EQ(world.state("b"), "held");
    EXPECT_EQ(world.mover->begun.size(), 1U);
    world.options.mover = nullptr;
    open();
    EXPECT_THAT(refused(reader("a", "wind")), HasSubstr("nothing that moves datasets"));
}

TEST_F(Data, IsCopiedAnewAfterACrashInTheMiddleAndNotAfterItsEnd) {
    ASSERT_TRUE(world.submit(reader("a", "era5")));
    crash_and_open();
    EXPECT_EQ(world.mover->begun.size(), 2U);
    EXPECT_EQ(world.state("a"), "held");
    world.moved("era5", "local");
    EXPECT_EQ(world.state("a"), "running");
    crash_and_open();
    EXPECT_EQ(world.mover->begun.size(), 2U);
    EXPECT_EQ(places("era5"), "local, far");
    world.end("a");
    // What was followed was not decided again.
    ASSERT_TRUE(world.submit(reader("b", "wind")));
    EXPECT_EQ(world.mover->begun.size(), 3U);
}

TEST_F(Data, IsTriedAgainAfterAPauseAndTheReasonIsTold) {
    ASSERT_TRUE(world.submit(reader("a", "era5")));
    world.not_moved("era5", "local", "cannot write /storage/local: No space left on device");
    world.housekeep();
    EXPECT_EQ(world.mover->begun.size(), 1U);
    EXPECT_THAT(world.view("a").reason, HasSubstr("failed 1 time, the last time: cannot write"));
    EXPECT_THAT(explain("a").details, ElementsAre(HasSubstr("No space left on device")));
    EXPECT_THAT(dataset("era5").places.front().trouble, HasSubstr("No space left"));
    world.pass(seconds(5));
    world.housekeep();
    EXPECT_EQ(world.mover->begun.size(), 2U);
    world.not_moved("era5", "local", "again");
    world.pass(seconds(5));
    world.housekeep();
    EXPECT_EQ(world.mover->begun.size(), 2U);
    world.pass(seconds(5));
    world.housekeep();
    EXPECT_EQ(world.mover->begun.size(), 3U);
    world.moved("era5", "local");
    EXPECT_EQ(world.state("a"), "running");
    EXPECT_EQ(dataset("era5").places.front().trouble, "");
}

TEST_F(Data, OfWhichTheReportGotLostIsAskedForAgain) {
    ASSERT_TRUE(world.submit(reader("a", "era5")));
    world.mover->finish("era5", "local");
    world.housekeep();
    EXPECT_EQ(world.mover->begun.size(), 2U);
    world.moved("era5", "local");
    EXPECT_EQ(world.state("a"), "running");
}

TEST_F(Data, ThatNobodyWantsAnyMoreWhenItComesStaysWhereTheCoreCountsIt) {
    ASSERT_TRUE(world.submit(reader("a", "era5")));
    ASSERT_TRUE(world.cancel("a"));
    world.moved("era5", "local");
    EXPECT_EQ(places("era5"), "local, far");
    // What the core never sent is deleted again.
    world.turn({MovedMessage{world.mover->finish("wind", "local")}});
    EXPECT_THAT(world.mover->removed, ElementsAre("wind at local"));
}

TEST_F(Data, MakesRoomForOthersAndItsFilesGo) {
    world.fleet.sites[0].storage.capacity = Bytes{120 * gb};
    open();
    ASSERT_TRUE(world.submit(reader("a", "era5")));
    world.moved("era5", "local");
    ASSERT_TRUE(world.submit(reader("b", "wind")));
    EXPECT_EQ(world.mover->begun.size(), 1U);  // beside what runs there is no room
    EXPECT_THAT(explain("b").sentence, HasSubstr("there is no room"));
    world.end("a");
    EXPECT_THAT(world.mover->removed, ElementsAre("era5 at local"));
    EXPECT_EQ(places("era5"), "far");
    world.moved("wind", "local");
    EXPECT_EQ(world.state("b"), "running");
}

TEST_F(Data, ComesAlongToAnotherFleet) {
    ASSERT_TRUE(world.submit(reader("a", "era5")));
    world.moved("era5", "local");
    ASSERT_TRUE(world.submit(reader("b", "wind")));
    ASSERT_EQ(world.state("a"), "running");
    world.fleet.pools[0].nodes = 5;
    crash_and_open();
    EXPECT_EQ(world.state("a"), "running");
    EXPECT_EQ(places("era5"), "local, far");
    EXPECT_EQ(places("wind"), "local (coming), far");
    world.moved("wind", "local");
    EXPECT_EQ(world.state("b"), "running");
    world.end("a");
    ASSERT_TRUE(world.submit(reader("c", "era5")));
    EXPECT_EQ(world.state("c"), "running");
    // A site that is gone takes its datasets along; the copy that is left stays for good.
    world.end("b");
    world.end("c");
    world.fleet = small_fleet(4);
    open();
    EXPECT_EQ(places("era5"), "local");
    EXPECT_EQ(dataset("era5").size, Bytes{100 * gb});
    ASSERT_TRUE(world.submit(reader("d", "era5")));
    EXPECT_EQ(world.state("d"), "running");
}

TEST_F(Data, IsMadeByAJobThatSucceedsAndWhoReadsItWaitsForIt) {
    ASSERT_TRUE(world.submit_all({maker("m", "flutter"), reader("r", "flutter")}));
    EXPECT_EQ(world.state("r"), "held");
    EXPECT_THAT(world.view("r").reason, HasSubstr("flutter, which job 1 (m) is to make"));
    EXPECT_THAT(explain("r").details, ElementsAre("dataset flutter is to be made by job 1 (m)"));
    world.end("m");
    EXPECT_EQ(world.state("m"), "succeeded");
    EXPECT_EQ(world.state("r"), "held");
    EXPECT_THAT(world.mover->begun,
                ElementsAre(exec::Move{"flutter", "local", "", "/scratch/out"}));
    EXPECT_EQ(places("flutter"), "local (coming)");
    crash_and_open();
    EXPECT_EQ(world.mover->begun.size(), 2U);
    world.moved("flutter", "local", Bytes{7});
    EXPECT_EQ(world.state("r"), "running");
    EXPECT_EQ(places("flutter"), "local");
    EXPECT_EQ(dataset("flutter").size, Bytes{7});
    EXPECT_EQ(dataset("flutter").made_by, "1");
    crash_and_open();
    EXPECT_EQ(dataset("flutter").made_by, "1");
    // Who reads it elsewhere gets a copy.
    ASSERT_TRUE(world.submit(reader("s", "flutter", "far")));
    EXPECT_EQ(world.mover->begun.back(), (exec::Move{"flutter", "far", "local", ""}));
}

TEST_F(Data, IsNotMadeByAJobThatFailsOrMakesNothing) {
    ASSERT_TRUE(world.submit(maker("m", "flutter")));
    world.end("m", 1);
    EXPECT_TRUE(world.mover->begun.empty());
    ASSERT_TRUE(world.submit(maker("n", "flutter")));
    world.mover->missing = {"/scratch/out"};
    ASSERT_TRUE(world.submit(reader("r", "flutter")));
    world.end("n");
    EXPECT_EQ(world.state("n"), "failed");
    EXPECT_THAT(world.view("n").reason,
                HasSubstr("there is no file or folder at /scratch/out, which was to become the "
                          "dataset flutter"));
    EXPECT_TRUE(world.mover->begun.empty());
    EXPECT_EQ(world.state("r"), "cancelled");
    EXPECT_EQ(world.view("r").reason,
              "dependency failed: job 2 (n) is failed, and was to make dataset flutter");
}

TEST_F(Data, ThatIsNotMadeEndsAllThatWouldHaveComeOfIt) {
    // A chain of datasets, and a job that comes after its end.
    Submission second = maker("second", "b");
    second.spec.data_in = {{"a", "a"}};
    Submission after = submission_of("after");
    after.spec.after = {"last"};
    Submission anyway = submission_of("anyway");
    anyway.spec.after_any = {"last"};
    ASSERT_TRUE(
        world.submit_all({maker("first", "a"), second, reader("last", "b"), after, anyway}));
    Submission whole = reader("whole", "a");
    whole.spec.data_in.push_back({"era5", "era5"});
    ASSERT_TRUE(world.submit(whole));
    world.end("first", 1);
    for (const char* job : {"second", "last", "after", "whole"})
        EXPECT_EQ(world.state(job), "cancelled") << job;
    EXPECT_EQ(world.state("anyway"), "running");
    EXPECT_THAT(world.view("last").reason, HasSubstr("(second) is cancelled, and was to make"));
    crash_and_open();
    // Who makes it anew comes too late for them, and in time for others.
    ASSERT_TRUE(world.submit_all({maker("again", "a"), reader("late", "a")}));
    EXPECT_EQ(world.state("late"), "held");
    ASSERT_TRUE(world.cancel("again"));
    world.end("again", 1);
    EXPECT_EQ(world.state("late"), "cancelled");
}

TEST_F(Data, NeverChangesSoItsNameIsTakenOnce) {
    EXPECT_THAT(refused(maker("m", "era5")), HasSubstr("dataset \"era5\" exists already"));
    ASSERT_TRUE(world.submit(maker("m", "flutter")));
    EXPECT_THAT(refused(maker("n", "flutter")), HasSubstr("is to be made by job 1 (m)"));
    const auto two = world.submit_all({maker("a", "x"), maker("b", "x")});
    ASSERT_FALSE(two);
    EXPECT_THAT(two.error().message, HasSubstr("is to be made by job \"a\" of this submission"));
    ASSERT_TRUE(world.cancel("m"));
    world.end("m", 1);
    EXPECT_TRUE(world.submit(maker("n", "flutter")));
    // A link to what was made before is not written through.
    const exec::Launch& launch = world.executor.attempts.at(world.alive("n")).launch;
    EXPECT_THAT(launch.links, ElementsAre(exec::Link{"/scratch/out", ""}));
}

TEST_F(Data, IsKeptAsLongAsItsMakerSaidAndAsSomebodyHasIt) {
    Submission brief = maker("m", "flutter");
    brief.spec.data_out[0].keep = seconds(100);
    ASSERT_TRUE(world.submit(brief));
    world.end("m");
    world.moved("flutter", "local", Bytes{7});
    const Time until = world.now + seconds(100);
    EXPECT_EQ(dataset("flutter").keep_until, until);
    ASSERT_TRUE(world.submit(reader("r", "flutter")));
    world.fleet.pools[0].nodes = 5;
    open();
    EXPECT_EQ(dataset("flutter").keep_until, until);
    world.pass(seconds(200));
    world.housekeep();
    EXPECT_EQ(places("flutter"), "local");
    world.end("r");
    world.housekeep();
    EXPECT_EQ(places("flutter"), "");
    EXPECT_THAT(world.mover->removed, ElementsAre("flutter at local"));
    EXPECT_THAT(refused(reader("s", "flutter")), HasSubstr("no dataset \"flutter\""));
    EXPECT_TRUE(world.submit(maker("n", "flutter")));
}

TEST_F(Data, OfArraysIsCopiedOnce) {
    Submission array = reader("a", "era5");
    array.spec.array = job::Array{{1, 2, 3}, 0};
    ASSERT_TRUE(world.submit(array));
    EXPECT_EQ(world.mover->begun.size(), 1U);
    world.moved("era5", "local");
    EXPECT_EQ(world.executor.alive().size(), 3U);
    Submission makers = maker("b", "flutter");
    makers.spec.array = job::Array{{1, 2, 3}, 0};
    EXPECT_THAT(refused(makers), HasSubstr("each member of the array would make the same dataset"));
}

}  // namespace
}  // namespace weir::hub
