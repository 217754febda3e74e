// SqliteStore: the journal and the documents in one SQLite file that survives power loss.
//
// WAL with synchronous=FULL: append() returns when the disk has the batch (one fsync, so a batch
// of 64 costs little more than one entry). The schema grows by numbered migrations; the number of
// the last one is in PRAGMA user_version, and a file of a newer weir is refused.
//
// One hub owns a file: open() takes a lock (flock on FILE.lock, which the kernel releases when the
// process dies, however it dies) and the error names the process that has it. open_to_read() takes
// none: it may look at a journal beside a running hub and refuses to append.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "weir/store/store.hpp"

namespace weir::store {

class SqliteStore : public Store {
public:
    static Result<std::unique_ptr<SqliteStore>> open(const std::string& path);
    static Result<std::unique_ptr<SqliteStore>> open_to_read(const std::string& path);
    ~SqliteStore() override;

    Result<void> append(Batch& batch) override;
    // `visit` may ask find() and list(), but not append().
    Result<void> replay(std::uint64_t first,
                        const std::function<Result<void>(const Entry&)>& visit) override;
    Result<std::optional<Document>> find(std::string_view collection, std::string_view id) override;
    Result<std::vector<Document>> list(std::string_view collection,
                                       std::string_view tag,
                                       std::size_t limit) override;

private:
    struct State;
    explicit SqliteStore(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace weir::store
