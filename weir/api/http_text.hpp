// The text that the server writes: response heads and event-stream frames.
#pragma once

#include <string>
#include <string_view>

#include "weir/api/http_message.hpp"

namespace weir::api {

// Status line and headers, the empty line included. `reason` is the phrase of the status.
// Requires: no line break in a header.
std::string response_head(const Response& response, std::string_view reason, bool keep_alive);

// The same for an event stream, which has no length and ends with its connection.
std::string event_stream_head();

// One Server-Sent Event. Line breaks in `data` become several data lines, as the format asks.
std::string event_text(std::string_view event, std::string_view id, std::string_view data);

}  // namespace weir::api
