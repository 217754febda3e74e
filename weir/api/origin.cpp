#include "weir/api/origin.hpp"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netdb.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace weir::api {
namespace {

std::string lower(std::string_view text) {
    std::string result(text);
    for (char& c : result) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return result;
}

// "[::1]:8421" -> "::1", "localhost:8421" -> "localhost".
std::string_view host_part(std::string_view host_header) {
    if (!host_header.empty() && host_header.front() == '[') {
        const std::size_t end = host_header.find(']');
        return end == std::string_view::npos ? std::string_view{} : host_header.substr(1, end - 1);
    }
    return host_header.substr(0, host_header.find(':'));
}

bool is_numeric_address(const std::string& host) {
    std::array<unsigned char, sizeof(in6_addr)> bytes{};
    return inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 ||
           inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
}

}  // namespace

Result<ListenAddress> parse_listen_address(std::string_view text) {
    const auto refuse = [&text](std::string_view what) {
        return fail(Code::invalid,
                    fmt::format("listen address \"{}\": {}; write HOST:PORT, where HOST is "
                                "localhost or an IP address (IPv6 in brackets) and PORT is 0 to "
                                "65535, for example 127.0.0.1:8421 or [::1]:8421",
                                text,
                                what));
    };
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return refuse("the port is missing");
    std::string_view host = text.substr(0, colon);
    const std::string_view port_text = text.substr(colon + 1);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
        host = host.substr(1, host.size() - 2);
    } else if (host.find(':') != std::string_view::npos) {
        return refuse("an IPv6 address needs brackets");
    }
    if (host.empty()) return refuse("the host is missing");
    ListenAddress address;
    address.host = host == "localhost" ? "127.0.0.1" : std::string(host);
    if (!is_numeric_address(address.host)) return refuse("the host is not an IP address");
    const char* end = port_text.data() + port_text.size();
    const auto [stop, error] = std::from_chars(port_text.data(), end, address.port);
    if (error != std::errc{} || stop != end) return refuse("the port is not a number in range");
    return address;
}

bool is_loopback(std::string_view host) {
    return host == "::1" || host == "localhost" || host.substr(0, 4) == "127.";
}

Result<std::string> host_name_of(std::string_view text) {
    std::string name = lower(text);
    constexpr std::size_t name_bytes_max = 253;  // of the domain name system
    const bool plain =
        name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_.") == std::string::npos &&
        name.size() <= name_bytes_max && !name.empty() && name.front() != '.' &&
        name.find("..") == std::string::npos;
    if (!plain && !is_numeric_address(name)) {
        return fail(Code::invalid,
                    fmt::format("\"{}\" is no name of a machine; write it without http:// and "
                                "without a port, for example hub.example.org",
                                text.substr(0, name_bytes_max)));
    }
    if (name.back() == '.') name.pop_back();
    return name;
}

std::vector<std::string> names_of_this_machine() {
    std::vector<std::string> names;
    const auto add = [&names](std::string_view text) {
        const auto name = host_name_of(text);
        if (!name || std::find(names.begin(), names.end(), *name) != names.end()) return;
        names.push_back(*name);
    };
    std::array<char, 256> buffer{};
    if (gethostname(buffer.data(), buffer.size() - 1) != 0) return names;
    const std::string name = buffer.data();
    const std::string alone = name.substr(0, name.find('.'));
    add(name);
    add(alone);
    add(alone + ".local");
    addrinfo hints{};
    hints.ai_flags = AI_CANONNAME;
    addrinfo* found = nullptr;
    if (getaddrinfo(name.c_str(), nullptr, &hints, &found) == 0) {
        if (found->ai_canonname != nullptr) add(found->ai_canonname);
        freeaddrinfo(found);
    }
    return names;
}

HostRule::HostRule(std::string_view bound_host, const std::vector<std::string>& names)
    : names_{"localhost", "127.0.0.1", "::1"}, any_address_(!is_loopback(bound_host)) {
    if (any_address_) {
        for (std::string& name : names_of_this_machine())
            names_.push_back(std::move(name));
    } else {
        names_.emplace_back(bound_host);
    }
    names_.insert(names_.end(), names.begin(), names.end());
}

bool HostRule::allows(std::string_view host_header) const {
    std::string host = lower(host_part(host_header));
    if (host.size() > 1 && host.back() == '.') host.pop_back();
    if (any_address_ && is_numeric_address(host)) return true;
    return std::find(names_.begin(), names_.end(), host) != names_.end();
}

std::string HostRule::valid() const {
    std::string text = any_address_ ? "an IP address" : "";
    std::vector<std::string> said;
    for (const std::string& name : names_) {
        if (std::find(said.begin(), said.end(), name) != said.end()) continue;
        said.push_back(name);
        if (any_address_ && is_numeric_address(name)) continue;
        text += (text.empty() ? "" : ", ") + name;
    }
    return text;
}

bool origin_allowed(std::string_view origin,
                    std::string_view sec_fetch_site,
                    std::string_view host_header) {
    if (sec_fetch_site == "cross-site" || sec_fetch_site == "same-site") return false;
    if (origin.empty()) return true;
    const std::size_t scheme = origin.find("://");
    if (scheme == std::string_view::npos) return false;  // also "null": sandboxed pages, file:
    return lower(origin.substr(scheme + 3)) == lower(host_header);
}

}  // namespace weir::api
