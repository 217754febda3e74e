// Entries of a journal that something has damaged: read or refused, never a crash; and what is read
// is written again as it was.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "weir/hub/documents.hpp"
#include "weir/hub/journal.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace weir;
    static const char* const kinds[] = {"fleet",
                                        "submitted",
                                        "carried",
                                        "promise_carried",
                                        "ended",
                                        "cancelled",
                                        "stop_asked",
                                        "advance",
                                        "advance_ended",
                                        "node",
                                        "power_cap",
                                        "checkpointed",
                                        "step",
                                        "job"};
    if (size == 0) return 0;
    const std::string kind = kinds[data[0] % std::size(kinds)];
    std::string body(reinterpret_cast<const char*>(data) + 1, size - 1);
    if (kind == "job") {
        const auto view = hub::job_view_of({"job", "1", 1, "", std::move(body)});
        return view ? 0 : static_cast<int>(view.error().message.empty());
    }
    const auto record = hub::journal::decode({1, Time{}, kind, std::move(body)});
    if (!record) return 0;
    const store::Entry once = hub::journal::encode(*record, Time{});
    const auto again = hub::journal::decode(once);
    if (!again || hub::journal::encode(*again, Time{}).body != once.body) std::abort();
    return 0;
}
