#include "common/hash.h"

#ifdef __x86_64__
#include <xxh_x86dispatch.h>  // XXH3_128bits becomes the library's, which asks the processor what it can.
#else
#include <xxhash.h>
#endif

namespace xundian {

Key hash128_wide(std::string_view bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.low64, hash.high64};
}

}  // namespace xundian
