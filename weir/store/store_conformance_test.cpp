// One suite for every Store: what the hub may rely on, whichever database is behind the port.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <map>

#include "weir/base/random.hpp"
#include "weir/store/memory_store.hpp"
#include "weir/store/sqlite_store.hpp"

namespace weir::store {
namespace {

namespace fs = std::filesystem;

// A store and a way to close it and open it again; for memory the second is the first.
class Cabinet {
public:
    explicit Cabinet(bool on_disk) : on_disk_(on_disk) {
        std::string pattern = (fs::temp_directory_path() / "weir-store-XXXXXX").string();
        folder_ = mkdtemp(pattern.data());
        reopen();
    }
    ~Cabinet() {
        store_.reset();
        fs::remove_all(folder_);
    }
    void reopen() {
        if (!on_disk_) {
            if (store_ == nullptr) store_ = std::make_unique<MemoryStore>();
            return;
        }
        store_.reset();
        auto opened = SqliteStore::open(folder_ + "/weir.db");
        if (!opened) FAIL() << opened.error().message;
        store_ = std::move(opened).value();
    }
    Store& operator*() { return *store_; }
    Store* operator->() { return store_.get(); }

private:
    bool on_disk_;
    std::string folder_;
    std::unique_ptr<Store> store_;
};

class StoreConformance : public testing::TestWithParam<bool> {
protected:
    Cabinet store{GetParam()};

    static Entry entry(std::string kind, std::string body, std::int64_t at_ms = 0) {
        return {.sequence = 0,
                .at = Time{Duration{at_ms}},
                .kind = std::move(kind),
                .body = std::move(body)};
    }
    void append(std::vector<Entry> entries, std::vector<Document> documents = {}) {
        Batch batch{std::move(entries), std::move(documents)};
        const auto appended = store->append(batch);
        ASSERT_TRUE(appended) << appended.error().message;
    }
    // "1:a 2:b": what a replay from `first` shows.
    std::string replayed(std::uint64_t first = 1) {
        std::string seen;
        const auto done = store->replay(first, [&seen](const Entry& e) -> Result<void> {
            seen += (seen.empty() ? "" : " ") + std::to_string(e.sequence) + ":" + e.body;
            return {};
        });
        EXPECT_TRUE(done) << (done ? "" : done.error().message);
        return seen;
    }
    std::string listed(std::string_view tag, std::size_t limit) {
        std::string seen;
        const auto documents = store->list("job", tag, limit);
        EXPECT_TRUE(documents);
        for (const Document& document : *documents) {
            seen += (seen.empty() ? "" : " ") + document.id;
        }
        return seen;
    }
};

INSTANTIATE_TEST_SUITE_P(Stores, StoreConformance, testing::Values(false, true), [](const auto& i) {
    return i.param ? "sqlite" : "memory";
});

TEST_P(StoreConformance, NumbersEntriesFromOneWithoutGapsAndTellsTheCaller) {
    Batch first{{entry("x", "a"), entry("x", "b")}, {}};
    ASSERT_TRUE(store->append(first));
    Batch second{{entry("x", "c")}, {}};
    ASSERT_TRUE(store->append(second));
    EXPECT_EQ(first.entries[0].sequence, 1U);
    EXPECT_EQ(first.entries[1].sequence, 2U);
    EXPECT_EQ(second.entries[0].sequence, 3U);
    EXPECT_EQ(replayed(), "1:a 2:b 3:c");
    EXPECT_EQ(replayed(3), "3:c");
    EXPECT_EQ(replayed(4), "");
}

TEST_P(StoreConformance, KeepsEveryFieldOfAnEntryByteForByteAcrossAReopen) {
    const std::string body("{\"text\":\"\xe5\xa0\xb0 \\u0000 'quoted' \n\"}");
    append({entry("kind with space", body, -5), entry("", "", std::int64_t{1} << 60)});
    store.reopen();
    std::vector<Entry> seen;
    ASSERT_TRUE(store->replay(1, [&seen](const Entry& e) -> Result<void> {
        seen.push_back(e);
        return {};
    }));
    ASSERT_EQ(seen.size(), 2U);
    EXPECT_EQ(seen[0].kind, "kind with space");
    EXPECT_EQ(seen[0].body, body);
    EXPECT_EQ(seen[0].at, Time{Duration{-5}});
    EXPECT_EQ(seen[1].body, "");
    EXPECT_EQ(seen[1].at, Time{Duration{std::int64_t{1} << 60}});
}

TEST_P(StoreConformance, StopsAReplayAtTheFirstErrorOfTheVisitorAndHandsItOn) {
    append({entry("x", "a"), entry("x", "b"), entry("x", "c")});
    std::string seen;
    const auto done = store->replay(1, [&seen](const Entry& e) -> Result<void> {
        seen += e.body;
        if (e.body == "b") return fail(Code::conflict, "enough");
        return {};
    });
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().message, "enough");
    EXPECT_EQ(seen, "ab");
}

TEST_P(StoreConformance, AnswersQuestionsInTheMiddleOfAReplay) {
    append({entry("x", "a"), entry("x", "b")}, {{"job", "7", 7, "done", "seven"}});
    int found = 0;
    ASSERT_TRUE(store->replay(1, [&](const Entry&) -> Result<void> {
        WEIR_TRY(const auto document, store->find("job", "7"));
        if (document && document->body == "seven") ++found;
        return {};
    }));
    EXPECT_EQ(found, 2);
}

TEST_P(StoreConformance, ReplacesADocumentOfTheSameNameAndMovesItToItsNewPlace) {
    append({}, {{"job", "1", 1, "running", "old"}, {"job", "2", 2, "running", "two"}});
    append({}, {{"job", "1", 3, "done", "new"}});
    store.reopen();
    const auto found = store->find("job", "1");
    ASSERT_TRUE(found && found->has_value());
    EXPECT_EQ((*found)->body, "new");
    EXPECT_EQ((*found)->rank, 3);
    EXPECT_EQ(listed("", 10), "1 2");
    EXPECT_EQ(listed("running", 10), "2");
    EXPECT_EQ(listed("done", 10), "1");
}

TEST_P(StoreConformance, KeepsTheLastOfTwoDocumentsOfOneNameInOneBatch) {
    append({}, {{"key", "k", 0, "", "first"}, {"key", "k", 0, "", "second"}});
    EXPECT_EQ((*store->find("key", "k"))->body, "second");
}

TEST_P(StoreConformance, ListsTheHighestRankFirstEqualRanksByIdAndNoMoreThanAsked) {
    append({},
           {{"job", "b", 5, "x", ""},
            {"job", "c", 9, "y", ""},
            {"job", "a", 5, "x", ""},
            {"job", "d", -1, "x", ""},
            {"other", "z", 99, "x", ""}});
    EXPECT_EQ(listed("", 10), "c a b d");
    EXPECT_EQ(listed("", 2), "c a");
    EXPECT_EQ(listed("x", 10), "a b d");
    EXPECT_EQ(listed("", 0), "");
    EXPECT_EQ(listed("", std::numeric_limits<std::size_t>::max()), "c a b d");
}

TEST_P(StoreConformance, FindsNothingWhereNothingWasPut) {
    append({}, {{"job", "1", 1, "", "one"}});
    EXPECT_FALSE((*store->find("job", "2")).has_value());
    EXPECT_FALSE((*store->find("key", "1")).has_value());
    EXPECT_TRUE((*store->find("job", "1")).has_value());
}

// A model of the contract: random batches and reopenings against two plain containers.
TEST_P(StoreConformance, AgreesWithAModelOverRandomBatchesAndReopenings) {
    for (std::uint64_t seed = 1; seed <= 25; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Random random(seed);
        Cabinet cabinet(GetParam());
        std::vector<std::string> entries;
        std::map<std::string, std::string> documents;
        for (int round = 0; round < 12; ++round) {
            if (random.chance(0.2)) cabinet.reopen();
            Batch batch;
            for (std::int64_t i = random.between(0, 4); i > 0; --i) {
                batch.entries.push_back(entry("k", std::to_string(random.word())));
                entries.push_back(batch.entries.back().body);
            }
            for (std::int64_t i = random.between(0, 3); i > 0; --i) {
                const std::string id = std::to_string(random.between(0, 5));
                batch.documents.push_back({"c", id, 0, "", std::to_string(random.word())});
                documents[id] = batch.documents.back().body;
            }
            ASSERT_TRUE(cabinet->append(batch));
        }
        std::vector<std::string> seen;
        ASSERT_TRUE(cabinet->replay(1, [&seen](const Entry& e) -> Result<void> {
            if (e.sequence != seen.size() + 1) return fail(Code::internal, "a gap");
            seen.push_back(e.body);
            return {};
        }));
        ASSERT_EQ(seen, entries);
        for (const auto& wanted : documents) {
            ASSERT_EQ((*cabinet->find("c", wanted.first))->body, wanted.second);
        }
    }
}

}  // namespace
}  // namespace weir::store
