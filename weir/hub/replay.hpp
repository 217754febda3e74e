// Replay: the journal once more, from its first entry.
//
// Recovery *follows*: what was decided is taken as it stands, also where this version of the core
// would decide otherwise, so a folder outlives the version that wrote it. `weir replay` *decides
// again*: a fresh engine hears what arrived, and each of its decisions is compared with the
// journal, bit for bit. At the first difference this program is known to decide otherwise than the
// one that wrote the journal, and what follows would be compared with another history: it stops
// there and says where.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "weir/hub/book.hpp"
#include "weir/store/store.hpp"

namespace weir::hub {

struct Difference {
    std::uint64_t sequence = 0;  // of the first entry that does not agree
    Time at{};
    std::string sentence;
};

struct ReplayReport {
    std::uint64_t entries = 0;
    std::uint64_t steps = 0;
    std::uint64_t jobs = 0;
    std::uint64_t starts = 0;
    std::uint64_t drops = 0;
    std::uint64_t ended = 0;
    Time first{};
    Time last{};
    std::uint64_t digest = 0;  // of the engine at the end
    std::optional<Difference> difference;
};

// Fills `book`, which must be fresh. Never a difference: it compares nothing.
Result<ReplayReport> follow_into(Book& book, store::Store& store);

// Decides again. `visit` sees every entry before it is applied.
Result<ReplayReport> replay(store::Store& store,
                            const std::function<void(const store::Entry&)>& visit);

}  // namespace weir::hub
