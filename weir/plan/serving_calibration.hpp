// What measured serving teaches beyond datasheets: of chips, links and engines.
//
// Decoding is another world than training: products have few rows and live from the bandwidth that
// weights are read with, messages are so small that only their latency counts, and between two
// steps the host decides who is next. So serving has constants of its own, in catalog/serving.yaml,
// each entry with its source. A chip or link belongs to its kind whatever runs on it; an engine
// (TensorRT-LLM, vLLM, ...) is the software that serves, the same on every chip.
//
// What has no entry gets the constants of `any`, says so (`fitted` is false), and what is predicted
// with it has a wider interval.
//
// Threads: values; tables are made once.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace weir::plan {

// Of one kind of chip. Shares are of the peaks that the catalogue has.
struct ServingChip {
    double product_share = 0.7;       // of large BF16/FP16 products
    double product_fp8_share = 0.6;   // the same in 8 bits, of the peak in 8 bits
    double product_fp4_share = 0.45;  // the same in 4 bits
    double weights_share = 0.75;      // of the bandwidth, with which products read weights
    double weights_fp4_share = 0.6;   // the same of weights in 4 bits, which are unpacked
    double cache_share = 0.6;         // the same, attention over kept keys and values
    double attention_share = 0.4;     // of the BF16 peak, attention of a prompt
    double experts_slowdown = 1.2;    // products of experts, over plain ones
    double moving_share = 0.7;        // of the bandwidth: norms, activations, quantisation
    double product_s = 2e-6;          // of each product beyond its work: fill and drain
    double spread = 0.35;             // standard deviation of log(measured / predicted)
    bool fitted = false;
    std::string source{};
};

// Of one kind of link.
struct ServingLink {
    double reduce_s = 8e-6;        // of one small all-reduce between two chips
    double reduce_hop_s = 1e-6;    // more for each doubling of the chips
    double bandwidth_share = 0.6;  // of rings; more than 1 where switches add up
    double exchange_s = 20e-6;     // of one small all-to-all
    bool fitted = false;
    std::string source{};
};

// Of one engine.
struct ServingEngine {
    double kernel_s = 2e-6;  // from one kernel of a captured graph to the next
    double eager_kernel_s =
        40e-6;                    // the host needs to issue a kernel of a step with a prompt in it
    double step_s = 1e-3;         // between two steps: scheduling, sampling, sending
    double sequence_s = 5e-6;     // of that, for each sequence
    double product_slowdown = 1;  // of large products, over the best engine
    double experts_slowdown = 1;  // of products of experts, over TensorRT-LLM
    double experts_layer_s = 5e-6;  // of a layer with experts: routing, sorting, gathering
    double attention_slowdown = 1;  // of attention, over the best engine
    double reduce_slowdown = 1;     // of small all-reduces, the same
    double exchange_slowdown = 1;   // of small all-to-alls, the same
    double first_s = 0.02;          // from a request's arrival to its first step, beside queues
    double request_s = 0;           // of its front for each request, one after the other
    double stream_s = 0;            // the same for each message with tokens to a client
    double idle_sequences = 0;      // of those that it was started for, never used
    double memory_share = 0.9;      // of a chip's memory that it takes
    double chunk_tokens = 8192;     // of prompts, in one step at most
    double batch_max = 1024;        // sequences at once on an attention rank
    double keeps_whole = 0;  // 1: it admits a request when its whole answer fits; 0: its prompt
    double spread = 0.35;    // standard deviation of log(measured / predicted): tokens a second
    double experts_spread = 0.35;  // the same of a model with experts
    double first_spread = 0.6;     // the same of the time to the first token
    bool fitted = false;
    std::string source{};
};

template <class Record>
struct ServingConstant {
    std::string_view name;
    double Record::*member;
    double low;
    double high;
    std::string_view doc;
};
std::span<const ServingConstant<ServingChip>> serving_chip_constants();
std::span<const ServingConstant<ServingLink>> serving_link_constants();
std::span<const ServingConstant<ServingEngine>> serving_engine_constants();

// By the catalogue name of a chip, the name of a link ("nvlink4"), the name of an engine.
const ServingChip& serving_chip(std::string_view chip);
const ServingLink& serving_link(std::string_view link);
const ServingEngine& serving_engine(std::string_view engine);

}  // namespace weir::plan
