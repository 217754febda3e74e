// EventReader: Server-Sent Events out of the bytes of a stream, in whatever pieces they come.
//
// It reads the parts of the format that hubs send and tolerates the rest (comments, unknown
// fields, the three kinds of line end). An event that grows over `event_bytes_max` is an error:
// whatever sends that is no hub.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "weir/base/result.hpp"

namespace weir::api {

struct StreamEvent;

class EventReader {
public:
    static constexpr std::size_t event_bytes_max = 1024 * 1024;

    // Calls `visit` for every event that is complete now, until it answers false; then, and for
    // the rest of the stream, the answer is false.
    Result<bool> feed(std::string_view bytes, const std::function<bool(const StreamEvent&)>& visit);

private:
    bool end_line(const std::function<bool(const StreamEvent&)>& visit);

    std::string line_;
    std::string event_;
    std::string id_;  // stays for later events, as the format says
    std::string data_;
    bool has_data_ = false;
    bool after_return_ = false;  // a '\n' now belongs to the line end before
    bool stopped_ = false;
};

}  // namespace weir::api
