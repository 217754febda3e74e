#include "weir/base/html.hpp"

namespace weir {

std::string escaped(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '"':
                out += "&quot;";
                break;
            case '\'':
                out += "&#39;";
                break;
            default:
                out.push_back(static_cast<unsigned char>(c) < 0x20 && c != '\n' ? ' ' : c);
        }
    }
    return out;
}

}  // namespace weir
