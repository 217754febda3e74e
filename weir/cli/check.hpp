// `weir check` and `weir advise`: what each takes, and the function that does it.
#pragma once

#include <cstdint>
#include <string>

namespace weir::cli {

struct CheckLogOptions {
    std::string log;
    bool json = false;
};
// 0 when the log keeps every rule, 1 when it breaks one.
int check_log(const CheckLogOptions& options);

struct AdviseCheckpointOptions {
    std::uint64_t nodes = 0;  // of the gang
    std::string mtbf;         // "5y/node"
    std::string fleet;        // or: a fleet file ...
    std::string pool;         // ... and which of its pools; "" = its only one
    std::string cost;
    std::string restart;
    std::string every;  // an interval to compare with; "" = none
    bool json = false;
};
int advise_checkpoint(const AdviseCheckpointOptions& options);

}  // namespace weir::cli
