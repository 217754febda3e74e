#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "weir/api/raw_socket.hpp"

namespace weir::api {

RawSocket::RawSocket(std::uint16_t port, int receive_buffer_bytes)
    : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_buffer_bytes > 0) {
        ::setsockopt(descriptor_,
                     SOL_SOCKET,
                     SO_RCVBUF,
                     &receive_buffer_bytes,
                     sizeof(receive_buffer_bytes));
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
        ::close(descriptor_);
        descriptor_ = -1;
        ended_ = true;
    }
}

RawSocket::~RawSocket() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

bool RawSocket::send(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t count = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
}

bool RawSocket::read_some() {
    pollfd wait{descriptor_, POLLIN, 0};
    if (ended_ || ::poll(&wait, 1, 10'000) <= 0) return false;
    std::array<char, 65536> buffer{};
    const ssize_t count = ::recv(descriptor_, buffer.data(), buffer.size(), 0);
    if (count <= 0) {
        ended_ = true;
        return false;
    }
    seen_.append(buffer.data(), static_cast<std::size_t>(count));
    return true;
}

const std::string& RawSocket::read_until(std::string_view text, std::size_t times) {
    while (count_of(seen_, text) < times && read_some()) {
    }
    return seen_;
}

const std::string& RawSocket::read_to_end() {
    while (read_some()) {
    }
    return seen_;
}

std::size_t count_of(std::string_view text, std::string_view part) {
    std::size_t count = 0;
    for (std::size_t at = text.find(part); at != std::string_view::npos;
         at = text.find(part, at + part.size())) {
        ++count;
    }
    return count;
}

}  // namespace weir::api
