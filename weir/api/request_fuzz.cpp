// Bytes from outside: request targets, submission bodies, Host and Origin.
//
// The first byte chooses the reader. Besides not crashing: what a reader accepts, printed and
// read again, is the same.
#include <cstddef>
#include <cstdint>
#include <string>

#include "weir/api/origin.hpp"
#include "weir/api/submit_body.hpp"
#include "weir/api/target.hpp"
#include "weir/base/assert.hpp"

using namespace weir;
using namespace weir::api;

namespace {

void read_target(std::string_view text) {
    const auto target = parse_target(text);
    if (!target.has_value()) {
        WEIR_ASSERT(!target.error().message.empty());
        return;
    }
    const auto again = parse_target(text_of(*target));
    // Escaping may triple the length, beyond what is accepted.
    if (again.has_value()) {
        WEIR_ASSERT(*again == *target);
    } else {
        WEIR_ASSERT(again.error().code == Code::too_large);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view text(reinterpret_cast<const char*>(bytes) + 1, size - 1);
    switch (bytes[0] % 3) {
        case 0:
            read_target(text);
            break;
        case 1: {
            const auto body = parse_submit_body(text);
            WEIR_ASSERT(body.has_value() || !body.error().message.empty());
            WEIR_ASSERT(!body.has_value() || body->notes.size() == body->submissions.size());
            break;
        }
        default: {
            const std::size_t half = text.size() / 2;
            static const HostRule here("127.0.0.1", {});
            static const HostRule everywhere("0.0.0.0", {"hub.example.org"});
            WEIR_ASSERT(!here.allows(text) || everywhere.allows(text));
            static_cast<void>(host_name_of(text).has_value());
            static_cast<void>(origin_allowed(text.substr(0, half), "", text.substr(half)));
            static_cast<void>(parse_listen_address(text).has_value());
            break;
        }
    }
    return 0;
}
