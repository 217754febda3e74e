// Client: how programs talk to a hub.
//
// Requests in, JSON text out; what the hub refuses comes back as the very Error that it had, code
// and sentence, and a hub that does not answer is Code::unavailable with a sentence that says how
// to start one. One connection is kept and used again.
//
// Repeating: a request that got lost on the way is sent again, for as long as `patience` says,
// when that is harmless: reads, cancellations, and submissions in which every job has a key. A
// submission without key is sent once.
//
//     Client client(hub_url());
//     WEIR_TRY(const std::string jobs, client.get("/v1/jobs?state=running"));
//
// Threads: one at a time for each Client.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/base/time.hpp"

namespace weir::api {

// The hub that is meant when nobody says: WEIR_HUB, else http://127.0.0.1:8421.
std::string hub_url();

struct ClientOptions {
    Duration connect_timeout = seconds(5);
    Duration request_timeout = seconds(120);  // a large submission may take its time ...
    Duration read_timeout = seconds(20);      // ... a question may not
    Duration patience = seconds(2);           // for repeating what got lost; 0 = never
    // Also wait that long for a hub that is not there yet (it restarts, say).
    bool wait_for_hub = false;
};

enum class Repeat : std::uint8_t { never, harmless };

// An answer as it came, for what is not JSON.
struct Reply {
    int status = 200;
    std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
    std::string body;

    [[nodiscard]] std::string_view header(std::string_view lower_case_name) const;
};

class Client {
public:
    explicit Client(std::string url, ClientOptions options = {});
    ~Client();
    Client(Client&&) noexcept;
    Client& operator=(Client&&) noexcept;

    // `target` is a path with its query, already escaped (encode_component in target.hpp).
    Result<std::string> get(std::string_view target);
    Result<Reply> get_raw(std::string_view target);
    Result<std::string> post(std::string_view target,
                             std::string_view json,
                             Repeat repeat = Repeat::never);

    [[nodiscard]] const std::string& url() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace weir::api
