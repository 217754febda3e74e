#include "weir/api/http_message.hpp"

#include "weir/api/json_views.hpp"

namespace weir::api {
namespace {

bool equal_without_case(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const auto lower = [](char c) {
            return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        };
        if (lower(a[i]) != lower(b[i])) return false;
    }
    return true;
}

}  // namespace

std::string_view Request::header(std::string_view name) const {
    for (const auto& [key, value] : headers) {
        if (equal_without_case(key, name)) return value;
    }
    return {};
}

Response error_response(const Error& error) {
    Response response;
    response.status = http_status_of(error.code);
    response.body = error_json(error);
    return response;
}

}  // namespace weir::api
