#include "weir/base/result.hpp"

#include <array>

namespace weir {
namespace {

struct Row {
    Code code;
    std::string_view name;
    int http_status;
    int exit_status;
};

// clang-format off
constexpr std::array rows = {
    Row{Code::invalid,     "invalid",     400, 2},
    Row{Code::not_found,   "not_found",   404, 3},
    Row{Code::conflict,    "conflict",    409, 4},
    Row{Code::never_fits,  "never_fits",  422, 2},
    Row{Code::too_large,   "too_large",   413, 2},
    Row{Code::unsupported, "unsupported", 422, 2},
    Row{Code::denied,      "denied",      403, 6},
    Row{Code::unavailable, "unavailable", 503, 5},
    Row{Code::io,          "io",          500, 1},
    Row{Code::internal,    "internal",    500, 1},
};
// clang-format on

const Row& row_of(Code code) {
    for (const Row& row : rows) {
        if (row.code == code) return row;
    }
    return rows.back();
}

}  // namespace

Error Error::at(std::string_view place) const {
    return Error{code, std::string(place) + ": " + message};
}

std::string_view name_of(Code code) {
    return row_of(code).name;
}
int http_status_of(Code code) {
    return row_of(code).http_status;
}
int exit_status_of(Code code) {
    return row_of(code).exit_status;
}

Code code_from_name(std::string_view name) {
    for (const Row& row : rows) {
        if (row.name == name) return row.code;
    }
    return Code::internal;
}

}  // namespace weir
