#include "weir/api/client.hpp"

#include <curl/curl.h>
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "weir/api/json_views.hpp"
#include "weir/api/origin.hpp"

namespace weir::api {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t reply_bytes_max = std::size_t{1} << 30;

void initialise_once() {
    static std::once_flag once;
    std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

struct HeaderList {
    curl_slist* list = nullptr;
    HeaderList() = default;
    HeaderList(const HeaderList&) = delete;
    HeaderList& operator=(const HeaderList&) = delete;
    ~HeaderList() { curl_slist_free_all(list); }
    void add(const char* line) { list = curl_slist_append(list, line); }
};

std::string lower(std::string_view text) {
    std::string result(text);
    for (char& c : result) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return result;
}

std::string_view trimmed(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

// The host in "http://user@host:port/".
std::string host_of(std::string_view url) {
    const std::size_t scheme = url.find("://");
    std::string_view rest = scheme == std::string_view::npos ? url : url.substr(scheme + 3);
    rest = rest.substr(0, rest.find_first_of("/?#"));
    if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos) {
        rest = rest.substr(at + 1);
    }
    if (!rest.empty() && rest.front() == '[')
        return std::string(rest.substr(1, rest.find(']') - 1));
    return std::string(rest.substr(0, rest.find(':')));
}

// What one transfer collects. An exception must not pass through the C library, so callbacks
// answer "stop" instead.
struct Transfer {
    Reply reply;
    bool too_large = false;
};

std::size_t on_header(char* bytes, std::size_t size, std::size_t count, void* context) {
    auto& transfer = *static_cast<Transfer*>(context);
    const std::string_view line(bytes, size * count);
    if (line.substr(0, 5) == "HTTP/") {
        transfer.reply.headers.clear();  // of a "100 Continue" before
    } else if (const std::size_t colon = line.find(':'); colon != std::string_view::npos) {
        transfer.reply.headers.emplace_back(lower(line.substr(0, colon)),
                                            std::string(trimmed(line.substr(colon + 1))));
    }
    return size * count;
}

std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* context) {
    auto& transfer = *static_cast<Transfer*>(context);
    if (transfer.reply.body.size() + size * count > reply_bytes_max) {
        transfer.too_large = true;
        return 0;
    }
    transfer.reply.body.append(bytes, size * count);
    return size * count;
}

}  // namespace

std::string hub_url() {
    const char* from_environment = std::getenv("WEIR_HUB");
    if (from_environment == nullptr || *from_environment == '\0') return "http://127.0.0.1:8421";
    return from_environment;
}

std::string_view Reply::header(std::string_view lower_case_name) const {
    for (const auto& [name, value] : headers) {
        if (name == lower_case_name) return value;
    }
    return {};
}

struct Client::State {
    std::string url;
    ClientOptions options;
    CURL* curl = nullptr;

    State() = default;
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    ~State() {
        if (curl != nullptr) curl_easy_cleanup(curl);
    }

    // What every request has in common. Keeps the connection, forgets the options of the last.
    void prepare(const std::string& target_url, Transfer& transfer);
    Result<Reply> once(const std::string& method,
                       std::string_view target,
                       std::string_view body,
                       bool& lost,
                       bool& absent);
    Result<Reply> ask(const std::string& method,
                      std::string_view target,
                      std::string_view body,
                      Repeat repeat);
    [[nodiscard]] Error unreachable(CURLcode code) const;
    [[nodiscard]] Error refused(const Reply& reply) const;
};

void Client::State::prepare(const std::string& target_url, Transfer& transfer) {
    initialise_once();
    if (curl == nullptr) curl = curl_easy_init();
    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL, target_url.c_str());
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "weir");
    curl_easy_setopt(
        curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_timeout.count()));
    // Sites set http_proxy for everything; a hub on this machine is never behind it.
    if (is_loopback(host_of(url))) curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &transfer);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
}

Error Client::State::unreachable(CURLcode code) const {
    switch (code) {
        case CURLE_COULDNT_CONNECT:
            return {
                Code::unavailable,
                fmt::format("no hub answers at {}; start one with `weir up` or set WEIR_HUB", url)};
        case CURLE_COULDNT_RESOLVE_HOST:
            return {Code::unavailable,
                    fmt::format("the hub's address {} names a machine that is not known here; "
                                "check WEIR_HUB",
                                url)};
        case CURLE_OPERATION_TIMEDOUT:
            return {Code::unavailable, fmt::format("the hub at {} did not answer in time", url)};
        case CURLE_URL_MALFORMAT:
        case CURLE_UNSUPPORTED_PROTOCOL:
            return {Code::invalid,
                    fmt::format("the hub's address \"{}\" is not a web address; "
                                "write http://HOST:PORT",
                                url)};
        default:
            return {
                Code::unavailable,
                fmt::format(
                    "the connection to the hub at {} broke: {}", url, curl_easy_strerror(code))};
    }
}

Error Client::State::refused(const Reply& reply) const {
    if (std::optional<Error> error = error_from_json(reply.body)) return *error;
    return {Code::unavailable,
            fmt::format("{} answers with status {}, but not as a weir hub does; check WEIR_HUB",
                        url,
                        reply.status)};
}

Result<Reply> Client::State::once(const std::string& method,
                                  std::string_view target,
                                  std::string_view body,
                                  bool& lost,
                                  bool& absent) {
    Transfer transfer;
    const std::string target_url = url + std::string(target);
    prepare(target_url, transfer);
    const Duration timeout = method == "GET" ? options.read_timeout : options.request_timeout;
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(timeout.count()));
    HeaderList headers;
    if (method == "POST") {
        headers.add("Content-Type: application/json");
        curl_easy_setopt(curl, CURLOPT_POST, 1L);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.data());
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    }
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.list);
    const CURLcode code = curl_easy_perform(curl);
    absent = code == CURLE_COULDNT_CONNECT;
    lost = code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR || code == CURLE_GOT_NOTHING ||
           code == CURLE_PARTIAL_FILE;
    if (transfer.too_large) {
        return fail(
            Code::too_large,
            fmt::format("the hub at {} answers with more than {} bytes", url, reply_bytes_max));
    }
    if (code != CURLE_OK) return fail(unreachable(code));
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    transfer.reply.status = static_cast<int>(status);
    if (status >= 300) {
        lost = status == 503;
        return fail(refused(transfer.reply));
    }
    return std::move(transfer.reply);
}

Result<Reply> Client::State::ask(const std::string& method,
                                 std::string_view target,
                                 std::string_view body,
                                 Repeat repeat) {
    const auto begun = Clock::now();
    auto pause = std::chrono::milliseconds(50);
    bool was_there = false;  // a hub that broke off in mid-request is restarting, not absent
    for (;;) {
        bool lost = false;
        bool absent = false;
        Result<Reply> reply = once(method, target, body, lost, absent);
        if (reply.has_value()) return reply;
        was_there = was_there || lost;
        // Before a connection exists nothing can have been done: trying again is always harmless.
        const bool again = absent ? options.wait_for_hub || (was_there && repeat != Repeat::never)
                                  : lost && repeat != Repeat::never;
        if (!again || Clock::now() - begun + pause > options.patience) return reply;
        std::this_thread::sleep_for(pause);
        pause = std::min(pause * 2, std::chrono::milliseconds(1000));
    }
}

Client::Client(std::string url, ClientOptions options) : state_(std::make_unique<State>()) {
    while (!url.empty() && url.back() == '/' && url.size() > url.find("://") + 3)
        url.pop_back();
    state_->url = std::move(url);
    state_->options = options;
}
Client::~Client() = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

const std::string& Client::url() const {
    return state_->url;
}

Result<std::string> Client::get(std::string_view target) {
    WEIR_TRY(Reply reply, state_->ask("GET", target, "", Repeat::harmless));
    return std::move(reply.body);
}

Result<Reply> Client::get_raw(std::string_view target) {
    return state_->ask("GET", target, "", Repeat::harmless);
}

Result<std::string> Client::post(std::string_view target, std::string_view json, Repeat repeat) {
    WEIR_TRY(Reply reply, state_->ask("POST", target, json, repeat));
    return std::move(reply.body);
}

}  // namespace weir::api
