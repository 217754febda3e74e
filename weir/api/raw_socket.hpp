// RawSocket: for tests that must say exactly what goes over the wire, byte by byte.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace weir::api {

class RawSocket {
public:
    // Connects to 127.0.0.1. A small receive buffer makes a client that does not read.
    explicit RawSocket(std::uint16_t port, int receive_buffer_bytes = 0);
    ~RawSocket();
    RawSocket(const RawSocket&) = delete;
    RawSocket& operator=(const RawSocket&) = delete;

    [[nodiscard]] bool connected() const { return descriptor_ >= 0; }
    bool send(std::string_view bytes);
    // Reads until `text` has come or the other side closed or nothing came for ten seconds;
    // everything that was read since the beginning.
    const std::string& read_until(std::string_view text, std::size_t times = 1);
    const std::string& read_to_end();
    [[nodiscard]] bool ended() const { return ended_; }
    [[nodiscard]] const std::string& seen() const { return seen_; }

private:
    bool read_some();
    int descriptor_ = -1;
    bool ended_ = false;
    std::string seen_;
};

std::size_t count_of(std::string_view text, std::string_view part);

}  // namespace weir::api
