// Store: the port to durable state. An append-only journal, and a table of documents beside it.
//
// The journal is the truth: entries in order, each with a time, a kind and a body, and replaying
// them is recovery. Documents are what people ask for later without a replay (a job that ended
// last month) and what must be unique (a client's key): they are written in the same transaction
// as the entries that caused them, so the two never disagree.
//
// Implementations: SQLite (sqlite_store.hpp), memory (memory_store.hpp). One conformance test
// suite runs on all. Threads: one at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/base/time.hpp"

namespace weir::store {

struct Entry {
    std::uint64_t sequence = 0;  // 1, 2, 3 ... without gaps; given by append()
    Time at{};
    std::string kind;
    std::string body;  // JSON
};

// A document in a collection: put replaces. `rank` orders listings (newest first), `tag` filters.
struct Document {
    std::string collection;
    std::string id;
    std::int64_t rank = 0;
    std::string tag;
    std::string body;  // JSON
};

struct Batch {
    std::vector<Entry> entries;  // sequence is filled in by append()
    std::vector<Document> documents;
};

class Store {
public:
    virtual ~Store() = default;
    // All or nothing; durable (survives power loss) when it returns. Fills in the sequences.
    virtual Result<void> append(Batch& batch) = 0;
    // Every entry from `first` on, in order, until `visit` returns an error.
    virtual Result<void> replay(std::uint64_t first,
                                const std::function<Result<void>(const Entry&)>& visit) = 0;
    virtual Result<std::optional<Document>> find(std::string_view collection,
                                                 std::string_view id) = 0;
    // Highest rank first, equal ranks by id; tag "" = every tag.
    virtual Result<std::vector<Document>> list(std::string_view collection,
                                               std::string_view tag,
                                               std::size_t limit) = 0;
};

}  // namespace weir::store
