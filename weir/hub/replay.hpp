// Replay: the journal once more through a fresh engine, every decision compared bit for bit.
//
// Recovery is this with a book that stays; `weir replay` is this with a report. A step whose digest
// or starts differ from what the journal says means that this program decides otherwise than the
// one that wrote it, so nothing after it can be trusted: the replay stops there and says where.
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

// Fills `book`, which must be fresh. `visit` sees every entry before it is applied.
Result<ReplayReport> replay_into(Book& book,
                                 store::Store& store,
                                 const std::function<void(const store::Entry&)>& visit);

Result<ReplayReport> replay(store::Store& store,
                            const std::function<void(const store::Entry&)>& visit);

}  // namespace weir::hub
