// What only the store on disk promises: durability through SIGKILL, one owner, honest errors.
#include "weir/store/sqlite_store.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "weir/base/random.hpp"
#include "weir/store/sqlite.hpp"

namespace weir::store {
namespace {

namespace fs = std::filesystem;

class SqliteStoreOnDisk : public testing::Test {
protected:
    SqliteStoreOnDisk() {
        std::string pattern = (fs::temp_directory_path() / "weir-sqlite-XXXXXX").string();
        folder = mkdtemp(pattern.data());
        path = folder + "/weir.db";
    }
    ~SqliteStoreOnDisk() override { fs::remove_all(folder); }

    static Batch batch_of(const std::string& body) {
        return {{{.sequence = 0, .at = Time{}, .kind = "k", .body = body}}, {}};
    }
    static std::vector<std::string> bodies_in(Store& store) {
        std::vector<std::string> seen;
        const auto done = store.replay(1, [&seen](const Entry& entry) -> Result<void> {
            seen.push_back(entry.body);
            return {};
        });
        EXPECT_TRUE(done) << (done ? "" : done.error().message);
        return seen;
    }

    std::string folder;
    std::string path;
};

TEST_F(SqliteStoreOnDisk, LosesNothingAcknowledgedWhenItsProcessIsKilledInTheMiddleOfAppends) {
    Random random(20261124);
    std::size_t acknowledged_before = 0;
    for (int round = 0; round < 8; ++round) {
        int pipe_ends[2];
        ASSERT_EQ(pipe(pipe_ends), 0);
        const pid_t child = fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            // Batches of three entries; the number of each batch goes to the parent only after
            // the append returned, which is what an acknowledgement is.
            auto store = SqliteStore::open(path);
            if (!store) _exit(1);
            for (std::uint32_t number = 0;; ++number) {
                Batch batch = batch_of("head");
                batch.entries.push_back(batch.entries[0]);
                batch.entries.push_back(batch.entries[0]);
                if (!(*store)->append(batch)) _exit(2);
                if (write(pipe_ends[1], &number, sizeof number) != sizeof number) _exit(3);
            }
        }
        close(pipe_ends[1]);
        std::uint32_t number = 0;
        std::size_t acknowledged = 0;
        const auto stop_after = static_cast<std::size_t>(random.between(1, 40));
        while (acknowledged < stop_after &&
               read(pipe_ends[0], &number, sizeof number) == sizeof number) {
            ++acknowledged;
        }
        usleep(static_cast<useconds_t>(random.between(0, 3000)));
        kill(child, SIGKILL);
        int status = 0;
        waitpid(child, &status, 0);
        ASSERT_TRUE(WIFSIGNALED(status)) << "the writer ended by itself, status " << status;
        while (read(pipe_ends[0], &number, sizeof number) == sizeof number)
            ++acknowledged;
        close(pipe_ends[0]);

        auto store = SqliteStore::open(path);
        ASSERT_TRUE(store) << store.error().message;
        const std::size_t kept = bodies_in(**store).size();
        EXPECT_EQ(kept % 3, 0U) << "part of a batch was kept";
        EXPECT_GE(kept, acknowledged_before + 3 * acknowledged);
        // At most the one batch whose acknowledgement was cut off may be there as well.
        EXPECT_LE(kept, acknowledged_before + 3 * acknowledged + 3);
        acknowledged_before = kept;
    }
}

TEST_F(SqliteStoreOnDisk, RefusesASecondOwnerAndNamesTheProcessOfTheFirst) {
    {
        auto first = SqliteStore::open(path);
        ASSERT_TRUE(first);
        auto second = SqliteStore::open(path);
        ASSERT_FALSE(second);
        EXPECT_EQ(second.error().code, Code::conflict);
        EXPECT_NE(second.error().message.find("process " + std::to_string(getpid())),
                  std::string::npos)
            << second.error().message;
    }
    EXPECT_TRUE(SqliteStore::open(path));
}

TEST_F(SqliteStoreOnDisk, CanBeReadBesideItsOwnerButNotAppendedTo) {
    auto owner = SqliteStore::open(path);
    ASSERT_TRUE(owner);
    Batch batch = batch_of("a");
    ASSERT_TRUE((*owner)->append(batch));
    auto reader = SqliteStore::open_to_read(path);
    ASSERT_TRUE(reader) << reader.error().message;
    EXPECT_EQ(bodies_in(**reader), std::vector<std::string>{"a"});
    batch = batch_of("b");
    const auto refused = (*reader)->append(batch);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::denied);
    ASSERT_TRUE((*owner)->append(batch));
    EXPECT_EQ(bodies_in(**reader), (std::vector<std::string>{"a", "b"}));
}

TEST_F(SqliteStoreOnDisk, ReportsAFullDiskKeepsWhatItHadAndGoesOnWhenThereIsRoomAgain) {
    auto store = SqliteStore::open(path);
    ASSERT_TRUE(store);
    Batch batch = batch_of("before");
    ASSERT_TRUE((*store)->append(batch));

    // No file may grow beyond a megabyte: to the program the same as a disk that is full.
    rlimit limit{};
    ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &limit), 0);
    const rlimit small{1 << 20, limit.rlim_max};
    const auto handler = signal(SIGXFSZ, SIG_IGN);
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
    batch = batch_of(std::string(4 << 20, 'x'));
    batch.documents.push_back({"job", "1", 1, "", "never seen"});
    const auto refused = (*store)->append(batch);
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
    signal(SIGXFSZ, handler);

    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::io);
    EXPECT_NE(refused.error().message.find(path), std::string::npos) << refused.error().message;
    EXPECT_FALSE((*(*store)->find("job", "1")).has_value());
    batch = batch_of("after");
    const auto appended = (*store)->append(batch);
    ASSERT_TRUE(appended) << appended.error().message;
    EXPECT_EQ(batch.entries[0].sequence, 2U);
    EXPECT_EQ(bodies_in(**store), (std::vector<std::string>{"before", "after"}));
}

TEST_F(SqliteStoreOnDisk, RefusesAFileThatIsNoDatabaseAndAFolderThatIsNotThere) {
    std::ofstream(path) << std::string(4096, 'n');
    const auto damaged = SqliteStore::open(path);
    ASSERT_FALSE(damaged);
    EXPECT_EQ(damaged.error().code, Code::io);
    EXPECT_NE(damaged.error().message.find(path), std::string::npos) << damaged.error().message;

    const auto absent = SqliteStore::open(folder + "/no/such/folder/weir.db");
    ASSERT_FALSE(absent);
    EXPECT_NE(absent.error().message.find("folder exists"), std::string::npos);
    EXPECT_FALSE(SqliteStore::open_to_read(folder + "/none.db"));
    EXPECT_FALSE(fs::exists(folder + "/none.db"));
}

TEST_F(SqliteStoreOnDisk, RefusesASchemaOfANewerWeir) {
    { ASSERT_TRUE(SqliteStore::open(path)); }
    {
        auto database = Database::open(path, Database::Mode::read_write);
        ASSERT_TRUE(database);
        ASSERT_TRUE(database->execute("PRAGMA user_version = 99"));
    }
    const auto newer = SqliteStore::open(path);
    ASSERT_FALSE(newer);
    EXPECT_EQ(newer.error().code, Code::conflict);
    EXPECT_NE(newer.error().message.find("99"), std::string::npos);
}

TEST_F(SqliteStoreOnDisk, NoticesAnEntryThatIsMissingFromTheJournal) {
    {
        auto store = SqliteStore::open(path);
        ASSERT_TRUE(store);
        for (const char* body : {"a", "b", "c"}) {
            Batch batch = batch_of(body);
            ASSERT_TRUE((*store)->append(batch));
        }
    }
    {
        auto database = Database::open(path, Database::Mode::read_write);
        ASSERT_TRUE(database->execute("DELETE FROM journal WHERE sequence = 2"));
    }
    auto store = SqliteStore::open(path);
    ASSERT_TRUE(store);
    const auto done = (*store)->replay(1, [](const Entry&) -> Result<void> { return {}; });
    ASSERT_FALSE(done);
    EXPECT_NE(done.error().message.find("entry 2 is missing"), std::string::npos);
}

}  // namespace
}  // namespace weir::store
