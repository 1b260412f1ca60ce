//! A switchboard of two hundred lines, and a service of no method at all.

use wire::rpc_service;

/// How many lines a [`Switchboard`] has.
pub const LINES: usize = 200;

/// Makes a trait of one method for each name.
macro_rules! switchboard {
    ($($line:ident)*) => {
        /// Connects callers.
        #[rpc_service(crate = wire, prefix = "switchboard.")]
        pub trait Switchboard {
            /// The name of the one who answers. Each line says so unless it has something else to say.
            async fn operator(&self, line: &str) -> String;
            $(
                /// Connects the caller with this line.
                async fn $line(&self, caller: &str) -> String {
                    let operator = self.operator(stringify!($line)).await;
                    format!("{operator}: {caller}")
                }
            )*
        }
    };
}

switchboard! {
    line_001 line_002 line_003 line_004 line_005 line_006 line_007 line_008 line_009 line_010
    line_011 line_012 line_013 line_014 line_015 line_016 line_017 line_018 line_019 line_020
    line_021 line_022 line_023 line_024 line_025 line_026 line_027 line_028 line_029 line_030
    line_031 line_032 line_033 line_034 line_035 line_036 line_037 line_038 line_039 line_040
    line_041 line_042 line_043 line_044 line_045 line_046 line_047 line_048 line_049 line_050
    line_051 line_052 line_053 line_054 line_055 line_056 line_057 line_058 line_059 line_060
    line_061 line_062 line_063 line_064 line_065 line_066 line_067 line_068 line_069 line_070
    line_071 line_072 line_073 line_074 line_075 line_076 line_077 line_078 line_079 line_080
    line_081 line_082 line_083 line_084 line_085 line_086 line_087 line_088 line_089 line_090
    line_091 line_092 line_093 line_094 line_095 line_096 line_097 line_098 line_099 line_100
    line_101 line_102 line_103 line_104 line_105 line_106 line_107 line_108 line_109 line_110
    line_111 line_112 line_113 line_114 line_115 line_116 line_117 line_118 line_119 line_120
    line_121 line_122 line_123 line_124 line_125 line_126 line_127 line_128 line_129 line_130
    line_131 line_132 line_133 line_134 line_135 line_136 line_137 line_138 line_139 line_140
    line_141 line_142 line_143 line_144 line_145 line_146 line_147 line_148 line_149 line_150
    line_151 line_152 line_153 line_154 line_155 line_156 line_157 line_158 line_159 line_160
    line_161 line_162 line_163 line_164 line_165 line_166 line_167 line_168 line_169 line_170
    line_171 line_172 line_173 line_174 line_175 line_176 line_177 line_178 line_179 line_180
    line_181 line_182 line_183 line_184 line_185 line_186 line_187 line_188 line_189 line_190
    line_191 line_192 line_193 line_194 line_195 line_196 line_197 line_198 line_199
}

/// Does nothing, and can be served and called all the same.
#[rpc_service(crate = wire)]
pub trait Silence {}
