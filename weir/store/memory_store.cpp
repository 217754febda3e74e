#include "weir/store/memory_store.hpp"

#include <algorithm>

namespace weir::store {

Result<void> MemoryStore::append(Batch& batch) {
    for (Entry& entry : batch.entries) {
        entry.sequence = entries_.size() + 1;
        entries_.push_back(entry);
    }
    for (const Document& document : batch.documents) {
        documents_[Key{document.collection, document.id}] = document;
    }
    return {};
}

Result<void> MemoryStore::replay(std::uint64_t first,
                                 const std::function<Result<void>(const Entry&)>& visit) {
    for (std::size_t i = first == 0 ? 0 : first - 1; i < entries_.size(); ++i) {
        WEIR_CHECK(visit(entries_[i]));
    }
    return {};
}

Result<std::optional<Document>> MemoryStore::find(std::string_view collection,
                                                  std::string_view id) {
    const auto found = documents_.find(Key{collection, id});
    if (found == documents_.end()) return std::optional<Document>{};
    return std::optional<Document>{found->second};
}

Result<std::vector<Document>> MemoryStore::list(std::string_view collection,
                                                std::string_view tag,
                                                std::size_t limit) {
    std::vector<Document> found;
    for (auto at = documents_.lower_bound(Key{collection, ""});
         at != documents_.end() && at->first.first == collection;
         ++at) {
        if (tag.empty() || at->second.tag == tag) found.push_back(at->second);
    }
    // The map gives them by id, which a stable sort keeps among equal ranks.
    std::stable_sort(found.begin(), found.end(), [](const Document& a, const Document& b) {
        return a.rank > b.rank;
    });
    if (found.size() > limit) found.resize(limit);
    return found;
}

}  // namespace weir::store
