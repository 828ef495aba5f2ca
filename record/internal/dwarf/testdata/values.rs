// Like values.c, for what Rust has.
use std::sync::atomic::{AtomicI64, Ordering};

static SINK: AtomicI64 = AtomicI64::new(0);
fn touch<T>(v: &T) {
    SINK.fetch_add(std::hint::black_box(v) as *const T as i64 & 1, Ordering::Relaxed);
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Level { Low = 1, High = 200 }
#[derive(Clone, Copy)]
struct Point { x: i32, y: i32 }
#[derive(Clone, Copy)]
struct Two { a: u8, b: u64 }
#[derive(Clone, Copy)]
struct Three { a: i16, b: i16, c: i16 }
#[derive(Clone, Copy)]
struct Four { a: i32, b: i32, c: i32, d: i32 }
struct Wrapper(u32);
struct Request { id: u64, path: String, body: Vec<u8>, level: Level, point: Point, next: Option<Box<Request>>, list: Vec<u32> }
enum Shape { Circle(f64), Square { side: u32, name: &'static str }, Nothing }
trait Speak { fn speak(&self) -> u32; }
impl Speak for Point { fn speak(&self) -> u32 { self.x as u32 } }

#[inline(never)]
fn t_ints(a: i8, b: u8, c: i16, d: u16, e: i32, f: u32, g: i64, h: u64) -> i32 { touch(&(a, b, c, d, e, f, g, h)); e }
#[inline(never)]
fn t_kinds(yes: bool, c: char, level: Level, p: *const u8, r: &u32, m: &mut i64) -> bool { touch(&(yes, c, level, p, r)); *m += 1; yes }
#[inline(never)]
fn t_text(s: &str, b: &[u8], list: &[u32], empty: &str) -> &'static str { touch(&(s, b, list, empty)); &"static text"[0..6] }
#[inline(never)]
fn t_string(s: String, r: &String, v: Vec<u8>, l: &Vec<u32>, m: &mut String, b: Box<str>) -> String { touch(&(&s, r, &v, l, &m, &b)); m.push('!'); s + "?" }
#[inline(never)]
fn t_float(d: f64, n: i32, f: f32, m: i32) -> f64 { touch(&(d, n, f, m)); d }
#[inline(never)]
fn t_struct(p: Point, two: Two, w: Wrapper, n: i32) -> Point { touch(&(p, two, w.0, n)); Point { x: p.y, y: p.x } }
#[inline(never)]
fn t_three(three: Three, n: i32) -> Three { touch(&(three, n)); Three { a: three.c, b: three.b, c: three.a } }
#[inline(never)]
fn t_four(f: Four, n: i32) -> Four { touch(&(f, n)); Four { a: f.d, ..f } }
#[inline(never)]
fn t_request(r: &Request, by_value: Request, n: usize) -> Request { touch(&(r, &by_value, n)); by_value }
#[inline(never)]
fn t_tuple(t: (u8, u32), unit: (), a: [i32; 2], n: i32) -> (u64, bool) { touch(&(t, unit, a, n)); (t.1 as u64, true) }
#[inline(never)]
fn t_option(o: Option<&Point>, n: i32, s: &Shape) -> Option<u32> { touch(&(o, n, s)); o.map(|p| p.x as u32) }
#[inline(never)]
fn t_dyn(d: &dyn Speak, n: i32) -> u32 { touch(&(d, n)); d.speak() }
#[inline(never)]
fn t_generic<T>(v: &[T], n: usize) -> usize { touch(&(v, n)); v.len() + n }
#[inline(never)]
fn t_many(a: &str, b: &str, c: &str, d: &str, e: u8) -> u8 { touch(&(a, b, c, d, e)); e }
#[no_mangle]
#[inline(never)]
pub extern "C" fn t_extern(a: i32, b: u8, p: *const i32) -> i64 { touch(&(a, b, p)); a as i64 }
// The compiler changes how it is called, and does not always say so: what it is not sure of cannot be fetched.
#[inline(never)]
fn t_clone_changed(p: &Point, n: u32) -> i32 { touch(&(p, n)); p.x }
impl Request {
    #[inline(never)]
    fn t_clone_name(&self, level: Level) -> &str { touch(&(self, level)); &self.path }
    #[inline(never)]
    fn t_clone_method(&self, n: u32, level: Level) -> &str { touch(&(self, n, level)); &self.path[1..] }
}

fn request(id: u64, next: Option<Box<Request>>) -> Request {
    Request { id, path: format!("/path/{id}"), body: vec![1, 2, 255], level: Level::High, point: Point { x: 5, y: -6 }, next, list: vec![7, 8] }
}

macro_rules! say { ($f:literal, $($path:literal = $v:expr),*) => { $(println!("{} {} {}", $f, $path, $v);)* } }

fn main() {
    // The compiler cannot change how these are called, since it does not know who does it.
    let kept = [t_ints as *const (), t_kinds as *const (), t_text as *const (), t_string as *const (), t_float as *const (), t_struct as *const (), t_three as *const (), t_four as *const (),
        t_request as *const (), t_tuple as *const (), t_option as *const (), t_dyn as *const (), t_generic::<i64> as *const (), t_many as *const ()];
    std::hint::black_box(&kept);
    say!("t_ints", "a" = -8, "b" = 200, "c" = -300, "d" = 60000, "e" = -70000, "f" = 4000000000u32, "g" = -5000000000i64, "h" = 18000000000000000000u64, "ret" = -70000);
    touch(&t_ints(-8, 200, -300, 60000, -70000, 4000000000, -5000000000, 18000000000000000000));
    let (r, mut m) = (31, -32);
    say!("t_kinds", "yes" = true, "c" = 'é' as u32, "level" = "High", "p" = "0x10", "r" = 31, "m" = -32, "*r" = 31, "ret" = true);
    touch(&t_kinds(true, 'é', Level::High, 16 as *const u8, &r, &mut m));
    say!("t_text", "s" = "grüße", "b" = "01ff", "list" = 2, "list[1]" = 9, "empty" = "", "ret" = "static", "b[1]" = 255);
    touch(&t_text("grüße", &[1, 255], &[8, 9], ""));
    let (text, list) = (String::from("borrowed"), vec![1, 2, 3]);
    let mut changed = String::from("mutable");
    say!("t_string", "s" = "owned", "r" = "borrowed", "v" = "0a0b", "l" = 3, "m" = "mutable", "b" = "boxed", "ret" = "owned?");
    touch(&t_string(String::from("owned"), &text, vec![10, 11], &list, &mut changed, "boxed".into()));
    say!("t_float", "d" = "!it is in a floating-point register", "n" = 11, "f" = "!it is in a floating-point register", "m" = 12, "ret" = "!it is in a floating-point register");
    touch(&t_float(1.5, 11, 2.5, 12));
    say!("t_struct", "p.x" = 1, "p.y" = -2, "two.a" = 3, "two.b" = 4, "w.0" = 5, "n" = 6, "ret.x" = -2, "ret.y" = 1);
    touch(&t_struct(Point { x: 1, y: -2 }, Two { a: 3, b: 4 }, Wrapper(5), 6));
    say!("t_three", "three.a" = 1, "three.b" = -2, "three.c" = 3, "n" = 4, "ret.a" = 3, "ret.b" = -2, "ret.c" = 1);
    touch(&t_three(Three { a: 1, b: -2, c: 3 }, 4));
    say!("t_four", "f.a" = 1, "f.b" = 2, "f.d" = -4, "n" = 5, "ret.a" = -4, "ret.c" = 3);
    touch(&t_four(Four { a: 1, b: 2, c: 3, d: -4 }, 5));
    let inner = request(1, None);
    let outer = request(2, Some(Box::new(request(3, None))));
    say!("t_request", "r.id" = 2, "r.path" = "/path/2", "r.body" = "0102ff", "r.level" = "High", "r.point.y" = -6, "r.list" = 2, "by_value.id" = 1, "by_value.path" = "/path/1", "n" = 77, "ret.path" = "/path/1", "ret.id" = 1);
    touch(&t_request(&outer, inner, 77));
    say!("t_tuple", "t.0" = 1, "t.1" = 2, "a[0]" = 3, "a[1]" = -4, "n" = 5, "ret.0" = 2, "ret.1" = true);
    touch(&t_tuple((1, 2), (), [3, -4], 5));
    say!("t_option", "n" = 6);
    touch(&t_option(Some(&Point { x: 9, y: 10 }), 6, &Shape::Square { side: 3, name: "square" }));
    touch(&[Shape::Circle(1.0), Shape::Nothing]);
    say!("t_dyn", "n" = 7, "ret" = 9);
    touch(&t_dyn(&Point { x: 9, y: 10 }, 7));
    say!("t_generic", "v" = 2, "n" = 3, "ret" = 5, "v[1]" = -9);
    touch(&t_generic(&[8i64, -9], 3));
    say!("t_many", "a" = "A", "b" = "B", "c" = "C", "d" = "D", "e" = 5, "ret" = 5);
    touch(&t_many("A", "B", "C", "D", 5));
    say!("t_extern", "a" = -1, "b" = 2, "*p" = 31, "ret" = -1);
    touch(&t_extern(-1, 2, &31));
    say!("t_clone_method", "self.id" = 2, "self.path" = "/path/2", "n" = 8, "level" = "Low", "ret" = "path/2");
    touch(&outer.t_clone_method(8, Level::Low).len());
    say!("t_clone_name", "self.id" = 2, "level" = "High", "ret" = "/path/2");
    touch(&Request::t_clone_name(&outer, Level::High));
    say!("t_clone_changed", "p.y" = 10, "n" = 8, "ret" = 9);
    t_clone_changed(&Point { x: 9, y: 10 }, 8);
    say!("t_option", "n" = 7);
    touch(&t_option(None, 7, &Shape::Nothing));
    touch(&Level::Low);
    if let Some(n) = &outer.next { touch(&n.id) }
}
