// The plain C API of SQLite in three small classes: connection, prepared statement, transaction.
//
// They own what they name and turn every failure into a Result whose sentence says which file,
// what was tried and what SQLite answered. Nothing here knows what weir keeps in its tables.
//
//     WEIR_TRY(Statement find, database.prepare("SELECT body FROM document WHERE id = ?1"));
//     find.bind(1, "12");
//     WEIR_TRY(const bool row, find.step());
//     if (row) use(find.text(0));
//
// Threads: a connection and its statements belong to one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "weir/base/result.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace weir::store {

class Statement {
public:
    // Positions count from 1, columns from 0, as in SQLite. Bound text is copied.
    void bind(int position, std::int64_t value);
    void bind(int position, std::string_view text);

    // Runs on: true when there is a row to read. After false or an error the statement is reset
    // and can be bound and stepped again.
    Result<bool> step();
    // For statements without rows.
    Result<void> run();
    // Gives up the rows that were not read.
    void reset();

    // Valid until the next step().
    [[nodiscard]] std::int64_t integer(int column) const;
    [[nodiscard]] std::string_view text(int column) const;

private:
    friend class Database;
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const;
    };
    explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}

    std::unique_ptr<sqlite3_stmt, Finalize> statement_;
    int bind_error_ = 0;  // the first failed bind; reported by step()
};

class Database {
public:
    enum class Mode : std::uint8_t { read_write, read_only };
    // Creates the file when it is absent, except to read.
    static Result<Database> open(const std::string& path, Mode mode);

    Result<Statement> prepare(std::string_view sql);
    // One or more statements whose rows nobody reads.
    Result<void> execute(const std::string& sql);
    // The one integer that a PRAGMA or a SELECT gives.
    Result<std::int64_t> integer(std::string_view sql);

    [[nodiscard]] bool in_transaction() const;

private:
    friend class Statement;
    struct Close {
        void operator()(sqlite3* database) const;
    };
    explicit Database(sqlite3* database) : database_(database) {}

    std::unique_ptr<sqlite3, Close> database_;
};

// BEGIN IMMEDIATE ... COMMIT; rolls back when it goes out of scope without a commit.
class Transaction {
public:
    static Result<Transaction> begin(Database& database);
    ~Transaction();
    Transaction(Transaction&& other) noexcept : database_(other.database_) {
        other.database_ = nullptr;
    }
    Transaction& operator=(Transaction&&) = delete;

    Result<void> commit();

private:
    explicit Transaction(Database& database) : database_(&database) {}
    Database* database_;
};

}  // namespace weir::store
