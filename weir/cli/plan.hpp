// `weir plan` and `weir models`: how a model is best trained on so many chips, and how long it
// takes.
//
// Needs no hub: a model, chips by the catalogue or the pools of a fleet file, and what is asked.
// One struct holds the command line; plan_question.hpp makes a question of it, and each kind of
// answer (ranked plans, one configuration checked, explained, over chip counts, ...) is a file of
// its own beside plan.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir::cli {

struct PlanOptions {
    std::string model;               // name of the catalogue, config.json, or a folder with one
    std::vector<std::string> chips;  // "h100-sxm-80g=1024"; a pool of the fleet file
    std::string fleet;
    std::vector<std::string> catalogs;
    std::uint32_t sequence = 0;      // 0 = 4096, or what the model was made for if that is less
    std::uint32_t global_batch = 0;  // sequences; 0 = 4 million tokens
    std::string tokens;              // to train in all, as 15e12 or 15T; "" = not said
    std::string precision = "bf16";
    std::string framework;  // "" = that of --emit, else what the chips and the model suit
    std::uint64_t top = 5;
    std::string objective = "time";
    std::string price;  // of a chip-hour: "15 CNY/chip-hour"
    std::string mtbf;   // of a node: "5y/node"
    // How full a chip may be: by the probability that its memory is too little (plan::usual_risk),
    // or by the share of it that stays free.
    std::optional<double> risk;
    std::optional<double> margin;
    std::string check;  // path of a plan file; "-" = standard input
    std::string read;   // path of a launch script or configuration; "-" = standard input
    std::string emit;   // a framework: what starts the best plan there
    std::string scale;  // "8..4096"
    std::string report;
    bool serve = false;
    double isl = 1024;  // tokens of a prompt, of an answer
    double osl = 256;
    std::vector<std::string> slo;  // "ttft=1s", "tpot=40ms"
    double qps = 0;                // requests a second; 0 = not said
    double cached_share = 0;       // of the prompts' tokens, that a prefix cache already has
    std::string engine = "vllm";
    std::vector<std::string> weights{"bf16"};  // formats that are allowed
    std::vector<std::string> cache{"bf16"};
    bool explain = false;
    bool json = false;
};
// 0 when there is a plan that fits, 1 when there is none.
int plan(const PlanOptions& options);

struct ModelsOptions {
    std::string name;  // "" = all; as PlanOptions::model
    bool json = false;
};
int models(const ModelsOptions& options);

}  // namespace weir::cli
