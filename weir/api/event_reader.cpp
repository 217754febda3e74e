#include "weir/api/event_reader.hpp"

#include <fmt/core.h>

#include "weir/api/client.hpp"

namespace weir::api {

Result<bool> EventReader::feed(std::string_view bytes,
                               const std::function<bool(const StreamEvent&)>& visit) {
    for (const char c : bytes) {
        if (stopped_) return false;
        const bool second_half = c == '\n' && after_return_;
        after_return_ = c == '\r';
        if (second_half) continue;
        if (c == '\n' || c == '\r') {
            stopped_ = !end_line(visit);
        } else {
            line_ += c;
        }
        if (line_.size() + data_.size() > event_bytes_max) {
            return fail(
                Code::too_large,
                fmt::format("event stream: an event of more than {} bytes", event_bytes_max));
        }
    }
    return !stopped_;
}

bool EventReader::end_line(const std::function<bool(const StreamEvent&)>& visit) {
    const std::string line = std::move(line_);
    line_.clear();
    if (line.empty()) {
        StreamEvent event{event_.empty() ? "message" : event_, id_, data_};
        const bool complete = has_data_;
        event_.clear();
        data_.clear();
        has_data_ = false;
        return !complete || visit(event);
    }
    const std::size_t colon = line.find(':');
    const std::string_view name = std::string_view(line).substr(0, colon);
    std::string_view value;
    if (colon != std::string::npos) {
        value = std::string_view(line).substr(colon + 1);
        if (!value.empty() && value.front() == ' ') value.remove_prefix(1);
    }
    if (name == "data") {
        if (has_data_) data_ += '\n';
        data_ += value;
        has_data_ = true;
    } else if (name == "event") {
        event_ = value;
    } else if (name == "id") {
        id_ = value;
    }
    return true;  // comments (an empty name) and unknown fields say nothing
}

}  // namespace weir::api
