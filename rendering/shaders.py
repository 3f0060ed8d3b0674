"""GLSL sources of the fisheye renderer; `shading` says the same of the surfaces in tensors."""

from rendering.drawing import FAR_M, LENS_TABLE, MAX_LAMPS

_HEAD = f"""
#version 330
#define FAR_M {FAR_M:.1f}
#define LENS_TABLE {LENS_TABLE:.1f}
#define MAX_LAMPS {MAX_LAMPS}
"""

FISHEYE_VS = _HEAD + """
uniform mat3 to_camera; uniform float camera_z; uniform vec3 circle; uniform ivec2 size; uniform sampler2D lut;
uniform float theta_max;
in vec3 in_position; in vec3 in_normal; in vec2 in_uv; in float in_layer; in vec3 in_tint; in float in_share;
in float in_person; in float in_glow;
out vec3 position; out vec3 normal; out vec3 uvl; out vec3 tint; out float share; flat out float person;
out float glow;
void main() {
  vec3 d = to_camera * (in_position - vec3(0.0, 0.0, camera_z));
  float across = length(d.xy);
  float theta = atan(across, d.z);
  // Clipping instead of a discard keeps the early depth test.
  gl_ClipDistance[0] = theta_max - theta;
  float place = theta / 3.14159265 * ((LENS_TABLE - 1.0) / LENS_TABLE) + 0.5 / LENS_TABLE;
  float r = texture(lut, vec2(place, 0.5)).r * circle.z;
  vec2 px = circle.xy + r * (across > 1e-9 ? d.xy / across : vec2(1.0, 0.0));
  gl_Position = vec4(2.0 * px / vec2(size) - 1.0, min(length(d) / FAR_M, 1.0) * 2.0 - 1.0, 1.0);
  position = in_position; normal = in_normal; uvl = vec3(in_uv, in_layer); tint = in_tint; share = in_share;
  person = in_person; glow = in_glow;
}
"""

FISHEYE_FS = _HEAD + """
uniform sampler2DArray textures; uniform sampler2D above; uniform sampler2D shadow;
uniform mat4 above_matrix; uniform mat4 sun_matrix; uniform vec3 sun; uniform vec3 sun_rgb; uniform vec3 ambient_rgb;
uniform vec4 lamps[MAX_LAMPS]; uniform int lamp_count; uniform float camera_z; uniform float soft; uniform float gloss;
in vec3 position; in vec3 normal; in vec3 uvl; in vec3 tint; in float share; flat in float person;
in float glow;
out vec4 colour;
const vec2 ring[6] = vec2[](vec2(1.0, 0.0), vec2(-0.5, 0.87), vec2(-0.5, -0.87), vec2(2.0, 1.2), vec2(-2.2, 0.9),
                            vec2(0.2, -2.4));
void main() {
  vec3 n = normalize(normal);
  vec3 eye = vec3(0.0, 0.0, camera_z) - position;
  if (dot(n, eye) < 0.0) n = -n;
  vec3 albedo = tint * mix(vec3(1.0), texture(textures, vec3(uvl.xy, floor(uvl.z + 0.5))).bgr, share);
  vec3 p = position + n * 0.04;
  vec4 a = above_matrix * vec4(p, 1.0);
  float span = 1.0 / abs(above_matrix[2][2]);
  float unit_uv = abs(above_matrix[0][0]) * 0.5;
  float noise = fract(sin(dot(gl_FragCoord.xy, vec2(12.9898, 78.233))) * 43758.5453) * 6.2832;
  mat2 spin = mat2(cos(noise), sin(noise), -sin(noise), cos(noise));
  float covered = 0.0;
  for (int i = 0; i < 6; i++) {
    vec2 offset = spin * ring[i] * 0.16;
    float d = texture(above, a.xy * 0.5 + 0.5 + offset * unit_uv).r;
    float rise = (a.z * 0.5 + 0.5 - d) * 2.0 * span - 0.05;
    covered += clamp(rise / (0.15 + length(offset) * 0.9), 0.0, 1.0);
  }
  float open = 1.0 - 0.8 * covered / 6.0;
  vec4 s = sun_matrix * vec4(p, 1.0);
  float lit = 0.0;
  for (int i = 0; i < 3; i++) {
    float angle = noise + float(i) * 2.0944;
    vec2 offset = vec2(cos(angle), sin(angle)) * soft;
    lit += step(s.z * 0.5 + 0.5 - 0.0015, texture(shadow, s.xy * 0.5 + 0.5 + offset).r) / 3.0;
  }
  vec3 shine = vec3(0.0);
  vec3 look = normalize(eye);
  float polish = person > 0.5 ? 0.0 : gloss * smoothstep(0.9, 0.98, n.z);
  vec3 light = ambient_rgb * (0.7 + 0.3 * n.z) * open + sun_rgb * max(dot(n, sun), 0.0) * lit;
  for (int i = 0; i < lamp_count; i++) {
    vec3 to = lamps[i].xyz - position;
    float d2 = dot(to, to);
    light += ambient_rgb * lamps[i].w * max(dot(n, to) * inversesqrt(d2), 0.0) / (1.0 + 0.25 * d2)
             * mix(open, 1.0, 0.25);
    if (polish > 0.0)
      shine += vec3(polish * lamps[i].w * open * pow(max(dot(n, normalize(normalize(to) + look)), 0.0), 90.0));
  }
  vec3 c = albedo * mix(light, vec3(1.0), glow) + shine;
  c = c / (1.0 + 0.35 * max(c - 0.7, 0.0));
  colour = vec4(clamp(c, 0.0, 1.0).bgr, person / 255.0);
}
"""

MASK_FS = """
#version 330
flat in float person;
out vec4 colour;
void main() { if (person < 0.5) discard; colour = vec4(1.0); }
"""

FLAT_VS = """
#version 330
uniform mat4 matrix;
in vec3 in_position;
void main() { gl_Position = matrix * vec4(in_position, 1.0); }
"""

DEPTH_FS = """
#version 330
void main() {}
"""
