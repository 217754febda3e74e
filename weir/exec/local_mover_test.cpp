#include "weir/exec/local_mover.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <vector>

namespace weir::exec {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Moving : public testing::Test {
protected:
    void SetUp() override {
        std::string name = (fs::temp_directory_path() / "weir-mover-XXXXXX").string();
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        folder = name;
        open();
    }
    void TearDown() override {
        mover.reset();
        fs::remove_all(folder);
    }

    void open() {
        mover.reset();
        fleet::Fleet fleet;
        for (const char* site : {"a", "b"}) {
            fleet.sites.push_back({.name = site});
            fleet.sites.back().storage.root = folder + "/" + site;
        }
        auto opened = LocalMover::open(fleet, folder, [this](const MoveEnd& end) {
            const std::lock_guard lock(mutex);
            ends.push_back(end);
            told.notify_all();
        });
        ASSERT_TRUE(opened) << opened.error().message;
        mover = std::move(opened).value();
    }
    void write(const std::string& path, const std::string& text) const {
        fs::create_directories(fs::path(folder + "/" + path).parent_path());
        std::ofstream(folder + "/" + path) << text;
    }
    [[nodiscard]] std::string read(const std::string& path) const {
        std::ifstream file(folder + "/" + path);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    [[nodiscard]] bool is(const std::string& path) const {
        return fs::exists(fs::symlink_status(folder + "/" + path));
    }
    MoveEnd moved(const Move& move) {
        std::unique_lock lock(mutex);
        const std::size_t before = ends.size();
        mover->begin(move);
        told.wait(lock, [&] { return ends.size() > before; });
        return ends.back();
    }
    MoveEnd copied(const std::string& dataset) { return moved({dataset, "b", "a", ""}); }
    MoveEnd made(const std::string& dataset, const std::string& path) {
        return moved({dataset, "a", "", folder + "/" + path});
    }

    std::string folder;
    std::unique_ptr<LocalMover> mover;
    std::mutex mutex;
    std::condition_variable told;
    std::vector<MoveEnd> ends;
};

TEST_F(Moving, CopiesATreeAsItIs) {
    write("a/era5/2020/jan", "snow");
    write("a/era5/run", "#!");
    ::chmod((folder + "/a/era5/run").c_str(), 0755);
    fs::create_symlink("2020/jan", folder + "/a/era5/first");
    EXPECT_FALSE(mover->has("era5", "b"));
    const MoveEnd end = copied("era5");
    EXPECT_EQ(end.problem, "");
    EXPECT_EQ(end.size, Bytes{6});
    EXPECT_TRUE(mover->has("era5", "b"));
    EXPECT_EQ(read("b/era5/2020/jan"), "snow");
    EXPECT_EQ(fs::read_symlink(folder + "/b/era5/first"), "2020/jan");
    EXPECT_EQ(fs::status(folder + "/b/era5/run").permissions(), fs::perms{0755});
    EXPECT_FALSE(is("b/.weir/half/era5"));
}

TEST_F(Moving, CopiesAFileAndWhatALinkInTheStorageStandsFor) {
    write("a/one", "1");
    EXPECT_EQ(copied("one").problem, "");
    EXPECT_EQ(read("b/one"), "1");
    write("elsewhere/big/x", "xyz");
    fs::create_symlink(folder + "/elsewhere/big", folder + "/a/big");
    EXPECT_EQ(copied("big").size, Bytes{3});
    EXPECT_FALSE(fs::is_symlink(folder + "/b/big"));
    EXPECT_EQ(read("b/big/x"), "xyz");
}

TEST_F(Moving, NeverShowsHalfACopy) {
    write("a/era5/x", "new");
    // What a copy left that was broken off, and an older one in its place.
    write("b/.weir/half/era5/x", "ne");
    write("b/era5/old", "old");
    EXPECT_EQ(copied("era5").problem, "");
    EXPECT_EQ(read("b/era5/x"), "new");
    EXPECT_FALSE(is("b/era5/old"));
    EXPECT_TRUE(fs::is_empty(folder + "/b/.weir/gone"));
}

TEST_F(Moving, SaysWhyACopyFailedAndMakesItWhenItIsAskedAgain) {
    EXPECT_THAT(copied("era5").problem, HasSubstr("at site a there is nothing at " + folder));
    write("a/era5", "x");
    EXPECT_EQ(copied("era5").problem, "");
    EXPECT_THAT(moved({"era5", "mars", "a", ""}).problem, HasSubstr("site mars has no storage"));
    ::mkfifo((folder + "/a/pipe").c_str(), 0600);
    EXPECT_THAT(copied("pipe").problem, HasSubstr("neither a file nor a folder"));
    EXPECT_FALSE(mover->has("pipe", "b"));
}

TEST_F(Moving, TakesOverWhatAJobHasMadeAndLeavesALink) {
    write("run/out/result", "42");
    const MoveEnd end = made("flutter-42", "run/out");
    EXPECT_EQ(end.problem, "");
    EXPECT_EQ(end.size, Bytes{2});
    EXPECT_EQ(read("a/flutter-42/result"), "42");
    EXPECT_EQ(fs::read_symlink(folder + "/run/out"), folder + "/a/flutter-42");
    // Asked again, as after a crash.
    EXPECT_EQ(made("flutter-42", "run/out").size, Bytes{2});
    EXPECT_THAT(made("other", "run/none").problem, HasSubstr("there is nothing at"));
    fs::create_symlink("/etc", folder + "/run/link");
    EXPECT_THAT(made("other", "run/link").problem, HasSubstr("is a link"));
}

TEST_F(Moving, TakesOverWhatACrashLeftOnItsWay) {
    write("a/.weir/whole/one/x", "1");  // moved, and no link yet
    EXPECT_EQ(made("one", "run1").problem, "");
    EXPECT_EQ(read("a/one/x"), "1");
    write("a/.weir/whole/two/x", "2");  // with the link, and not published yet
    fs::create_symlink(folder + "/a/two", folder + "/run2");
    EXPECT_EQ(made("two", "run2").problem, "");
    EXPECT_EQ(read("a/two/x"), "2");
    write("a/.weir/whole/three/x", "3");  // copied, and what it was copied from is not yet gone
    write("run3/x", "3");
    EXPECT_EQ(made("three", "run3").problem, "");
    EXPECT_EQ(read("a/three/x"), "3");
}

TEST_F(Moving, RemovesADatasetAndNothingElse) {
    write("a/era5/x", "1");
    write("a/other", "2");
    EXPECT_EQ(copied("era5").problem, "");
    mover->remove("era5", "b");
    EXPECT_EQ(copied("era5").problem, "");  // after the removal, in the order of asking
    mover->remove("era5", "a");
    mover->remove("none", "a");
    EXPECT_EQ(copied("other").problem, "");
    open();  // waits for nobody: what was not begun is not done
    mover->remove("era5", "a");
    for (int i = 0; i < 1000 && is("a/era5"); ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    EXPECT_FALSE(mover->has("era5", "a"));
    EXPECT_TRUE(mover->has("era5", "b"));
    EXPECT_TRUE(mover->has("other", "a"));
}

TEST_F(Moving, UsesAFolderOfTheHubWhereTheFleetNamesNone) {
    fleet::Fleet fleet;
    fleet.sites.push_back({.name = "c"});
    auto opened = LocalMover::open(fleet, folder, [](const MoveEnd&) {});
    ASSERT_TRUE(opened) << opened.error().message;
    EXPECT_EQ((*opened)->folder_of("c"), folder + "/storage/c");
    EXPECT_FALSE(is("storage"));
    write("storage/c/era5", "x");
    EXPECT_TRUE((*opened)->has("era5", "c"));
    fleet.sites[0].storage.root = "/proc/none";
    const auto refused = LocalMover::open(fleet, folder, [](const MoveEnd&) {});
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("the storage of site c: /proc/none cannot be"));
}

}  // namespace
}  // namespace weir::exec
