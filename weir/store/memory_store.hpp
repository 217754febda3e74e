// MemoryStore: a Store that forgets everything with the process. For tests and trials.
//
// It keeps the whole contract except durability, so what is proven over it (crash before or after
// an append, recovery, replay) holds for SQLite, which passes the same conformance suite.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "weir/store/store.hpp"

namespace weir::store {

class MemoryStore : public Store {
public:
    Result<void> append(Batch& batch) override;
    Result<void> replay(std::uint64_t first,
                        const std::function<Result<void>(const Entry&)>& visit) override;
    Result<std::optional<Document>> find(std::string_view collection, std::string_view id) override;
    Result<std::vector<Document>> list(std::string_view collection,
                                       std::string_view tag,
                                       std::size_t limit) override;

private:
    using Key = std::pair<std::string, std::string>;  // collection, id

    std::vector<Entry> entries_;
    std::map<Key, Document> documents_;
};

}  // namespace weir::store
