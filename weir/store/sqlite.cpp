#include "weir/store/sqlite.hpp"

#include <sqlite3.h>

#include "weir/base/assert.hpp"
#include "weir/base/log.hpp"

namespace weir::store {
namespace {

// How long a statement waits for another connection that holds the database (a reader that
// checkpoints, somebody's sqlite3 shell) before it gives up.
constexpr int busy_timeout_ms = 5000;

// What SQLite says, with the advice that the code calls for.
std::string advice_for(int code) {
    switch (code & 0xff) {
        case SQLITE_FULL:
            return "; free some space on its disk";
        case SQLITE_READONLY:
        case SQLITE_PERM:
        case SQLITE_CANTOPEN:
            return "; check that its folder exists and that you may write there";
        case SQLITE_NOTADB:
        case SQLITE_CORRUPT:
            return "; move it away, or restore a copy";
        case SQLITE_BUSY:
            return "; another program holds it";
        default:
            return "";
    }
}

Error error_of(sqlite3* database, std::string_view what) {
    const char* file = sqlite3_db_filename(database, "main");
    const int code = sqlite3_extended_errcode(database);
    std::string message(what);
    message += " failed in ";
    message += file != nullptr && *file != '\0' ? file : "the database";
    message += ": ";
    message += sqlite3_errmsg(database);
    message += " (SQLite code " + std::to_string(code) + ")" + advice_for(code);
    return {Code::io, std::move(message)};
}

// The first word of a statement names it well enough for an error.
std::string verb_of(std::string_view sql) {
    const auto start = sql.find_first_not_of(" \n\t");
    if (start == std::string_view::npos) return "an empty statement";
    return std::string(sql.substr(start, sql.find_first_of(" \n\t;", start) - start));
}

}  // namespace

// ---------------------------------------------------------------------------- Statement

void Statement::Finalize::operator()(sqlite3_stmt* statement) const {
    sqlite3_finalize(statement);
}

void Statement::bind(int position, std::int64_t value) {
    const int code = sqlite3_bind_int64(statement_.get(), position, value);
    if (code != SQLITE_OK && bind_error_ == SQLITE_OK) bind_error_ = code;
}

void Statement::bind(int position, std::string_view text) {
    // An empty view may have no address, and SQLite takes a null pointer for NULL.
    const char* data = text.data() == nullptr ? "" : text.data();
    const int code = sqlite3_bind_text64(
        statement_.get(), position, data, text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
    if (code != SQLITE_OK && bind_error_ == SQLITE_OK) bind_error_ = code;
}

Result<bool> Statement::step() {
    if (bind_error_ != SQLITE_OK) {
        const int code = bind_error_;
        bind_error_ = SQLITE_OK;
        reset();
        return fail(code == SQLITE_TOOBIG ? Code::too_large : Code::io,
                    std::string("a value could not be bound: ") + sqlite3_errstr(code));
    }
    switch (sqlite3_step(statement_.get())) {
        case SQLITE_ROW:
            return true;
        case SQLITE_DONE:
            reset();
            return false;
        default: {
            Error error = error_of(sqlite3_db_handle(statement_.get()),
                                   verb_of(sqlite3_sql(statement_.get())));
            reset();
            return fail(std::move(error));
        }
    }
}

Result<void> Statement::run() {
    WEIR_TRY(const bool row, step());
    if (row) reset();
    return {};
}

void Statement::reset() {
    sqlite3_reset(statement_.get());
}

std::int64_t Statement::integer(int column) const {
    return sqlite3_column_int64(statement_.get(), column);
}

std::string_view Statement::text(int column) const {
    const auto* data = sqlite3_column_text(statement_.get(), column);
    const int size = sqlite3_column_bytes(statement_.get(), column);
    return {reinterpret_cast<const char*>(data), static_cast<std::size_t>(size)};
}

// ----------------------------------------------------------------------------- Database

void Database::Close::operator()(sqlite3* database) const {
    sqlite3_close_v2(database);
}

Result<Database> Database::open(const std::string& path, Mode mode) {
    const int flags = (mode == Mode::read_only ? SQLITE_OPEN_READONLY
                                               : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE) |
                      SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    sqlite3* handle = nullptr;
    const int code = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
    Database database(handle);
    if (code != SQLITE_OK) {
        const char* why = handle != nullptr ? sqlite3_errmsg(handle) : sqlite3_errstr(code);
        return fail(Code::io, "cannot open the database " + path + ": " + why + advice_for(code));
    }
    sqlite3_busy_timeout(handle, busy_timeout_ms);
    return database;
}

Result<Statement> Database::prepare(std::string_view sql) {
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v3(database_.get(),
                                        sql.data(),
                                        static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT,
                                        &statement,
                                        nullptr);
    if (code != SQLITE_OK) return fail(error_of(database_.get(), "preparing " + verb_of(sql)));
    return Statement(statement);
}

Result<void> Database::execute(const std::string& sql) {
    if (sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
        return fail(error_of(database_.get(), verb_of(sql)));
    }
    return {};
}

Result<std::int64_t> Database::integer(std::string_view sql) {
    WEIR_TRY(Statement statement, prepare(sql));
    WEIR_TRY(const bool row, statement.step());
    if (!row) return fail(Code::internal, std::string(sql) + " gave no row");
    return statement.integer(0);
}

bool Database::in_transaction() const {
    return sqlite3_get_autocommit(database_.get()) == 0;
}

// -------------------------------------------------------------------------- Transaction

Result<Transaction> Transaction::begin(Database& database) {
    WEIR_CHECK(database.execute("BEGIN IMMEDIATE"));
    return Transaction(database);
}

Transaction::~Transaction() {
    // Some errors (a full disk) have rolled back already.
    if (database_ == nullptr || !database_->in_transaction()) return;
    if (const auto rolled_back = database_->execute("ROLLBACK"); !rolled_back) {
        log::error(rolled_back.error().message);
    }
}

Result<void> Transaction::commit() {
    WEIR_ASSERT(database_ != nullptr);
    WEIR_CHECK(database_->execute("COMMIT"));
    database_ = nullptr;
    return {};
}

}  // namespace weir::store
