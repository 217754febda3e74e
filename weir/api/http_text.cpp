#include "weir/api/http_text.hpp"

#include <fmt/core.h>

#include "weir/base/assert.hpp"

namespace weir::api {
namespace {

// Nothing here is for other origins, and no answer is what its bytes look like rather than what
// its type says.
constexpr std::string_view common_headers =
    "Server: weir\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n"
    "Referrer-Policy: no-referrer\r\n";

}  // namespace

std::string response_head(const Response& response, std::string_view reason, bool keep_alive) {
    std::string head = fmt::format("HTTP/1.1 {} {}\r\n{}", response.status, reason, common_headers);
    if (!response.type.empty()) head += "Content-Type: " + response.type + "\r\n";
    bool says_cache = false;
    for (const auto& [name, value] : response.headers) {
        WEIR_ASSERT((name + value).find_first_of("\r\n") == std::string::npos);
        head += name + ": " + value + "\r\n";
        says_cache = says_cache || name == "Cache-Control";
    }
    if (!says_cache) head += "Cache-Control: no-store\r\n";
    // 304 has no body, and a length would speak of the one that was not sent.
    if (response.status != 304) head += fmt::format("Content-Length: {}\r\n", response.body.size());
    head += keep_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n";
    return head;
}

std::string event_stream_head() {
    return "HTTP/1.1 200 OK\r\n" + std::string(common_headers) +
           "Content-Type: text/event-stream\r\nCache-Control: no-store\r\n"
           "X-Accel-Buffering: no\r\nConnection: close\r\n\r\n";
}

std::string event_text(std::string_view event, std::string_view id, std::string_view data) {
    std::string text;
    text.reserve(event.size() + id.size() + data.size() + 32);
    if (!id.empty()) text.append("id: ").append(id).append("\n");
    text.append("event: ").append(event).append("\ndata: ");
    for (const char c : data) {
        if (c == '\n') {
            text += "\ndata: ";
        } else if (c != '\r') {
            text += c;
        }
    }
    return text + "\n\n";
}

}  // namespace weir::api
