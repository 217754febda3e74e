// Who may talk to the hub from a browser: the Host and Origin rules.
//
// There is no sign-in yet, so a web page that the user happens to visit must not be able to submit
// a job. Two ways lead there and both are closed: a page on another origin that posts to the hub
// (its Origin does not match), and a page whose own name was bound to the hub's address by DNS
// after it was loaded (its Host is no name that the hub goes by; who makes such a page chooses a
// name of his own, so what cannot be one of those is let through: numbers, the names of this
// machine, and the names that the operator gave). Programs that are not browsers send a right Host
// by themselves and no Origin at all.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "weir/base/result.hpp"

namespace weir::api {

struct ListenAddress {
    std::string host;  // a numeric address without brackets
    std::uint16_t port = 0;
};

// "127.0.0.1:8421", "[::1]:8421", "localhost:8421", "0.0.0.0:8421"; port 0 = any free one.
Result<ListenAddress> parse_listen_address(std::string_view text);

bool is_loopback(std::string_view host);

// A name that an operator gives to a hub, in lower case: "hub.example.org", or an IP address.
Result<std::string> host_name_of(std::string_view text);

// The names that this machine has by itself, in lower case: as it calls itself, without its
// domain, with the one that the resolver adds, and under .local. May ask the resolver.
std::vector<std::string> names_of_this_machine();

// Which Host headers a server answers to.
class HostRule {
public:
    HostRule() = default;
    // Bound to loopback: localhost, 127.0.0.1, [::1]. Else also every IP address and the names of
    // this machine. `names` are allowed in both cases; a proxy in front of the hub needs one.
    // Requires: they come from host_name_of().
    HostRule(std::string_view bound_host, const std::vector<std::string>& names);

    [[nodiscard]] bool allows(std::string_view host_header) const;
    [[nodiscard]] std::string valid() const;  // for people

private:
    std::vector<std::string> names_;
    bool any_address_ = false;
};

// May a request with side effects be carried out? "" = the header was not sent.
bool origin_allowed(std::string_view origin,
                    std::string_view sec_fetch_site,
                    std::string_view host_header);

}  // namespace weir::api
