/** Small pictures of buttons, drawn here: fonts lack some of them. */

const paths = {
  play: "M7 4v16l13-8z",
  pause: "M6 4h4v16H6zM14 4h4v16h-4z",
  former: "M5 4h3v16H5zM20 4v16L9 12z",
  next: "M16 4h3v16h-3zM4 4v16l11-8z",
  back: "M15 4 7 12l8 8 2-2-6-6 6-6z",
  on: "M9 4 7 6l6 6-6 6 2 2 8-8z",
  sound: "M3 9v6h4l6 5V4L7 9zM16 8a5 5 0 0 1 0 8zM16 4v2a7 7 0 0 1 0 12v2a9 9 0 0 0 0-16z",
  mute: "M3 9v6h4l6 5V4L7 9zM22 9.4 20.6 8 18 10.6 15.4 8 14 9.4 16.6 12 14 14.6 15.4 16 18 13.4 20.6 16 22 14.6 19.4 12z",
  full: "M4 4h6v2H6v4H4zM14 4h6v6h-2V6h-4zM4 14h2v4h4v2H4zM18 14h2v6h-6v-2h4z",
  clear:
    "M19 6.4 17.6 5 12 10.6 6.4 5 5 6.4 10.6 12 5 17.6 6.4 19 12 13.4 17.6 19 19 17.6 13.4 12z",
  grip: "M8 5h3v3H8zM13 5h3v3h-3zM8 10.5h3v3H8zM13 10.5h3v3h-3zM8 16h3v3H8zM13 16h3v3h-3z",
};

export type IconName = keyof typeof paths;

export function Icon({ of }: { of: IconName }) {
  return (
    <svg viewBox="0 0 24 24" width="20" height="20" aria-hidden="true" fill="currentColor">
      <path d={paths[of]} />
    </svg>
  );
}
