// Who may talk to the hub from a browser: the Host and Origin rules.
//
// There is no sign-in yet, so a web page that the user happens to visit must not be able to submit
// a job. Two ways lead there and both are closed: a page on another origin that posts to the hub
// (its Origin does not match), and a page whose own name was re-bound to 127.0.0.1 by DNS (its
// Host is not one that a loopback address goes by). Programs that are not browsers send a right
// Host by themselves and no Origin at all.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "weir/base/result.hpp"

namespace weir::api {

struct ListenAddress {
    std::string host;  // a numeric address without brackets
    std::uint16_t port = 0;
};

// "127.0.0.1:8421", "[::1]:8421", "localhost:8421", "0.0.0.0:8421"; port 0 = any free one.
Result<ListenAddress> parse_listen_address(std::string_view text);

bool is_loopback(std::string_view host);

// May a server that is bound to `bound_host` answer a request with this Host header? A server
// that is bound to more than loopback cannot know its names, and answers to all.
bool host_allowed(std::string_view host_header, std::string_view bound_host);

// May a request with side effects be carried out? "" = the header was not sent.
bool origin_allowed(std::string_view origin,
                    std::string_view sec_fetch_site,
                    std::string_view host_header);

}  // namespace weir::api
