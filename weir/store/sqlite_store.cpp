#include "weir/store/sqlite_store.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>
#include <utility>

#include "weir/store/file_lock.hpp"
#include "weir/store/sqlite.hpp"

namespace weir::store {
namespace {

// Each is run once, in order, in a transaction that also raises user_version to its number.
// A migration that has been released is never edited: what changes later is a new one.
constexpr std::array<std::string_view, 1> migrations = {
    // 1: the journal, and the documents with the two orders in which they are listed.
    R"sql(
        CREATE TABLE journal (
            sequence INTEGER PRIMARY KEY,
            at_ms    INTEGER NOT NULL,
            kind     TEXT NOT NULL,
            body     TEXT NOT NULL
        ) STRICT;
        CREATE TABLE document (
            collection TEXT NOT NULL,
            id         TEXT NOT NULL,
            rank       INTEGER NOT NULL,
            tag        TEXT NOT NULL,
            body       TEXT NOT NULL,
            PRIMARY KEY (collection, id)
        ) STRICT;
        CREATE INDEX document_by_rank ON document (collection, rank DESC, id);
        CREATE INDEX document_by_tag  ON document (collection, tag, rank DESC, id);
    )sql",
};

Result<void> migrate(Database& database, const std::string& path) {
    WEIR_TRY(const std::int64_t version, database.integer("PRAGMA user_version"));
    const auto known = static_cast<std::int64_t>(migrations.size());
    if (version > known) {
        return fail(Code::conflict,
                    path + " has schema version " + std::to_string(version) +
                        ", written by a newer weir; this one knows versions up to " +
                        std::to_string(known));
    }
    for (std::int64_t number = version + 1; number <= known; ++number) {
        WEIR_TRY(Transaction transaction, Transaction::begin(database));
        WEIR_CHECK(database.execute(std::string(migrations[static_cast<std::size_t>(number) - 1])));
        WEIR_CHECK(database.execute("PRAGMA user_version = " + std::to_string(number)));
        WEIR_CHECK(transaction.commit());
    }
    return {};
}

Document document_of(const Statement& row) {
    return {.collection = std::string(row.text(0)),
            .id = std::string(row.text(1)),
            .rank = row.integer(2),
            .tag = std::string(row.text(3)),
            .body = std::string(row.text(4))};
}

}  // namespace

struct SqliteStore::State {
    std::optional<FileLock> lock;  // none: open to read
    Database database;
    std::optional<std::uint64_t> last;  // sequence of the newest entry; none: ask the database
    Statement insert_entry;
    Statement put_document;
    Statement find_document;
    Statement list_all;
    Statement list_tag;
};

SqliteStore::SqliteStore(std::unique_ptr<State> state) : state_(std::move(state)) {}
SqliteStore::~SqliteStore() = default;

namespace {

struct Statements {
    Statement insert_entry, put_document, find_document, list_all, list_tag;
};

Result<Statements> prepare_all(Database& database) {
    WEIR_TRY(Statement insert_entry,
             database.prepare("INSERT INTO journal (sequence, at_ms, kind, body) "
                              "VALUES (?1, ?2, ?3, ?4)"));
    WEIR_TRY(Statement put_document,
             database.prepare("INSERT INTO document (collection, id, rank, tag, body) "
                              "VALUES (?1, ?2, ?3, ?4, ?5) "
                              "ON CONFLICT (collection, id) DO UPDATE SET "
                              "rank = excluded.rank, tag = excluded.tag, body = excluded.body"));
    WEIR_TRY(Statement find_document,
             database.prepare("SELECT collection, id, rank, tag, body FROM document "
                              "WHERE collection = ?1 AND id = ?2"));
    WEIR_TRY(Statement list_all,
             database.prepare("SELECT collection, id, rank, tag, body FROM document "
                              "WHERE collection = ?1 ORDER BY rank DESC, id LIMIT ?2"));
    WEIR_TRY(Statement list_tag,
             database.prepare("SELECT collection, id, rank, tag, body FROM document "
                              "WHERE collection = ?1 AND tag = ?3 "
                              "ORDER BY rank DESC, id LIMIT ?2"));
    return Statements{std::move(insert_entry),
                      std::move(put_document),
                      std::move(find_document),
                      std::move(list_all),
                      std::move(list_tag)};
}

}  // namespace

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const std::string& path) {
    WEIR_TRY(FileLock lock, FileLock::take(path + ".lock"));
    WEIR_TRY(Database database, Database::open(path, Database::Mode::read_write));
    WEIR_CHECK(database.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"));
    WEIR_CHECK(migrate(database, path));
    WEIR_TRY(Statements ready, prepare_all(database));
    return std::unique_ptr<SqliteStore>(
        new SqliteStore(std::unique_ptr<State>(new State{std::move(lock),
                                                         std::move(database),
                                                         std::nullopt,
                                                         std::move(ready.insert_entry),
                                                         std::move(ready.put_document),
                                                         std::move(ready.find_document),
                                                         std::move(ready.list_all),
                                                         std::move(ready.list_tag)})));
}

Result<std::unique_ptr<SqliteStore>> SqliteStore::open_to_read(const std::string& path) {
    WEIR_TRY(Database database, Database::open(path, Database::Mode::read_only));
    WEIR_TRY(const std::int64_t version, database.integer("PRAGMA user_version"));
    if (version != static_cast<std::int64_t>(migrations.size())) {
        return fail(Code::conflict,
                    path + " has schema version " + std::to_string(version) + ", and version " +
                        std::to_string(migrations.size()) +
                        " is needed to read it; a hub of this weir upgrades an older one");
    }
    WEIR_TRY(Statements ready, prepare_all(database));
    return std::unique_ptr<SqliteStore>(
        new SqliteStore(std::unique_ptr<State>(new State{std::nullopt,
                                                         std::move(database),
                                                         std::nullopt,
                                                         std::move(ready.insert_entry),
                                                         std::move(ready.put_document),
                                                         std::move(ready.find_document),
                                                         std::move(ready.list_all),
                                                         std::move(ready.list_tag)})));
}

Result<void> SqliteStore::append(Batch& batch) {
    if (!state_->lock.has_value()) {
        return fail(Code::denied, "the store was opened to read; nothing can be appended to it");
    }
    WEIR_TRY(Transaction transaction, Transaction::begin(state_->database));
    // Forgotten until the commit: after an error only the database knows what it kept.
    if (!state_->last.has_value()) {
        WEIR_TRY(const std::int64_t last,
                 state_->database.integer("SELECT coalesce(max(sequence), 0) FROM journal"));
        state_->last = static_cast<std::uint64_t>(last);
    }
    std::uint64_t sequence = *std::exchange(state_->last, std::nullopt);
    for (Entry& entry : batch.entries) {
        entry.sequence = ++sequence;
        Statement& insert = state_->insert_entry;
        insert.bind(1, static_cast<std::int64_t>(entry.sequence));
        insert.bind(2, static_cast<std::int64_t>(entry.at.time_since_epoch().count()));
        insert.bind(3, entry.kind);
        insert.bind(4, entry.body);
        WEIR_CHECK(insert.run());
    }
    for (const Document& document : batch.documents) {
        Statement& put = state_->put_document;
        put.bind(1, document.collection);
        put.bind(2, document.id);
        put.bind(3, document.rank);
        put.bind(4, document.tag);
        put.bind(5, document.body);
        WEIR_CHECK(put.run());
    }
    WEIR_CHECK(transaction.commit());
    state_->last = sequence;
    return {};
}

Result<void> SqliteStore::replay(std::uint64_t first,
                                 const std::function<Result<void>(const Entry&)>& visit) {
    WEIR_TRY(Statement rows,
             state_->database.prepare("SELECT sequence, at_ms, kind, body FROM journal "
                                      "WHERE sequence >= ?1 ORDER BY sequence"));
    rows.bind(1, static_cast<std::int64_t>(first));
    Entry entry;
    std::uint64_t expected = first == 0 ? 1 : first;
    while (true) {
        WEIR_TRY(const bool row, rows.step());
        if (!row) return {};
        entry.sequence = static_cast<std::uint64_t>(rows.integer(0));
        if (entry.sequence != expected++) {
            return fail(Code::io,
                        "the journal is damaged: entry " + std::to_string(expected - 1) +
                            " is missing before entry " + std::to_string(entry.sequence) +
                            "; restore a copy");
        }
        entry.at = Time{Duration{rows.integer(1)}};
        entry.kind = rows.text(2);
        entry.body = rows.text(3);
        WEIR_CHECK(visit(entry));
    }
}

Result<std::optional<Document>> SqliteStore::find(std::string_view collection,
                                                  std::string_view id) {
    Statement& find = state_->find_document;
    find.bind(1, collection);
    find.bind(2, id);
    WEIR_TRY(const bool row, find.step());
    if (!row) return std::optional<Document>{};
    std::optional<Document> found = document_of(find);
    find.reset();
    return found;
}

Result<std::vector<Document>> SqliteStore::list(std::string_view collection,
                                                std::string_view tag,
                                                std::size_t limit) {
    constexpr std::size_t limit_max = std::numeric_limits<std::int64_t>::max();
    Statement& rows = tag.empty() ? state_->list_all : state_->list_tag;
    rows.bind(1, collection);
    rows.bind(2, static_cast<std::int64_t>(std::min(limit, limit_max)));
    if (!tag.empty()) rows.bind(3, tag);
    std::vector<Document> found;
    while (true) {
        WEIR_TRY(const bool row, rows.step());
        if (!row) return found;
        found.push_back(document_of(rows));
    }
}

}  // namespace weir::store
