// Any bytes are records or an error, never a crash; what is read is written and read again as the
// same; and the checker judges whatever history it is told. Lines are separated by '\n'.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "weir/audit/checker.hpp"
#include "weir/audit/log_format.hpp"
#include "weir/base/assert.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace weir::audit;
    std::string_view text(reinterpret_cast<const char*>(data), size);
    Checker checker;
    for (std::uint64_t line = 1; !text.empty(); ++line) {
        const std::size_t end = text.find('\n');
        const auto record = decode(text.substr(0, end), "fuzz:1");
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        if (!record) {
            WEIR_ASSERT(record.error().message.rfind("fuzz:1: ", 0) == 0);
            continue;
        }
        std::string written;
        encode(*record, written);
        written.pop_back();
        const auto again = decode(written, "fuzz:2");
        WEIR_ASSERT(again.has_value() && *again == *record);
        // A fleet of millions of nodes would only cost time here.
        const auto* header = std::get_if<Header>(&record->what);
        if (header == nullptr || header->fleet.nodes_total() < 100'000) checker.add(*record, line);
    }
    checker.finish();
    return 0;
}
